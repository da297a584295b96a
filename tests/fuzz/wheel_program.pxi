# Programs for the wheel. Its functions are used as the queues upstairs use them: passes, which may
# be nested and may end before all that is due was popped (an exception does that); between passes, a
# clock that is moved by hand.

cdef enum:
    DEEPEST_PASS = 4

cdef double[16] SPECIAL_TIMES = [
    HUGE_VAL, -HUGE_VAL, DBL_MAX, -DBL_MAX, 0.0, -0.0, 5e-324, -5e-324,
    2.0**52, 2.0**52 - 1, -(2.0**52), 1 - 2.0**52, 2.0**43, 2.0**26, 1.7e9, 1.7e308,
]


cdef struct WheelProgram:
    Reader *reader
    size_t budget       # for wheel_next; 0: as many as it takes
    double now          # the clock's time
    double passes[DEEPEST_PASS]     # the times of the passes that are running
    int depth           # how many they are
    uint64_t elapsed    # the current tick
    size_t limit        # the number of the first timer that is held
    bint starved        # the last advance had no memory: until the next, what is due is not known
    Oracle oracle
    Wheel wheel
    Node nodes[2 * CAPACITY]


cdef WheelProgram wheel_program


cdef int run_wheel_program(Reader *reader) except -1:
    global countdown
    cdef WheelProgram *program = &wheel_program
    program.reader = reader
    program.oracle.made = program.oracle.pending = 0
    program.depth = 0
    program.starved = False
    program.limit = CAPACITY
    program.budget = read_byte(reader) & 7
    program.now = 0.0
    program.elapsed = tick_of(0.0)
    wheel_init(&program.wheel, 0.0)
    start(program)
    try:
        while reader.next < reader.end:
            note_state(&program.wheel, wheel_operation(program))
            check_wheel(program)
        countdown = -1
        drain(program)
        check_wheel(program)
    finally:
        wheel_free(&program.wheel)
    return 0


cdef int wheel_operation(WheelProgram *program) except -1:
    """Read and do an operation. Returns its number."""
    cdef uint8_t operation = read_byte(program.reader) & 15
    if operation <= 2:
        add(program)
    elif operation == 3:
        add_many(program, read_byte(program.reader) % BURST + 1)
    elif operation == 4:
        remove(program)
    elif operation <= 6:
        move(program)
    elif operation == 7:
        whole_pass(program)
    elif operation == 8:
        begin_pass(program)
    elif operation == 9:
        pop(program)
    elif operation == 10:
        pop_all(program)
    elif operation == 11:
        end_pass(program)
    elif operation == 12:
        ask_next(program)
    elif operation == 13:
        tick_on(program)
    else:
        return 16 + rare_operation(program)
    return operation


cdef int rare_operation(WheelProgram *program) except -1:
    cdef uint8_t operation = read_byte(program.reader) & 7
    if operation <= 1:
        start(program)
    elif operation == 2:
        put_off(program)
    elif operation == 3:
        look_at_first(program)
    elif operation == 4:
        visit(program)
    elif operation == 5:
        starve(program)
    elif operation == 6:
        drain(program)
    elif read_byte(program.reader) & 1:
        detach_all(program)
    else:
        add_many(program, FLOOD)
    return operation


cdef int check_wheel(WheelProgram *program) except -1:
    cdef const char *fault = wheel_fault(&program.wheel)
    assert fault == NULL, fault.decode()
    assert program.wheel.count == program.oracle.pending, "the count is not that of the oracle"
    assert program.wheel.elapsed == program.elapsed, "the current tick is not that of the oracle"
    return 0


# Times.

cdef double read_time(WheelProgram *program, double base) noexcept:
    """A time, near to base or wherever a wheel might go wrong."""
    cdef uint8_t first = read_byte(program.reader)
    cdef unsigned kind = first & 7, detail = first >> 3
    cdef double when
    if kind <= 1:
        when = base + distance(program, detail)
    elif kind == 2:
        when = program.now + distance(program, detail)
    elif kind == 3:
        when = slot_edge(program, 2 * detail % 48)
    elif kind <= 6:
        when = near_another(program, detail)
    else:
        when = odd_time(program, detail)
    return program.now if isnan(when) else when


cdef double distance(WheelProgram *program, unsigned detail) noexcept:
    """Seconds, from a quarter of a tick to beyond the top level, one in four of them negative."""
    return ldexp(read_byte(program.reader) - 64, detail - 12)


cdef double slot_edge(WheelProgram *program, unsigned shift) noexcept:
    """A time within two ticks of the start of a slot of 2**shift ticks, ahead of the current tick."""
    cdef uint8_t detail = read_byte(program.reader)
    cdef uint64_t tick = ((program.elapsed >> shift) + 1 + (detail >> 4)) << shift
    cdef int quarters = (detail & 15) - 8
    return (<double><int64_t>(tick - (<uint64_t>1 << 62)) + quarters / 4.0) / 1024


cdef double odd_time(WheelProgram *program, unsigned detail) noexcept:
    """Now and then a time at which a clock that gets there is of little use from then on."""
    cdef uint8_t chance = read_byte(program.reader)
    if chance < 32:
        return SPECIAL_TIMES[detail & 15]
    if chance < 64:
        return read_double(program.reader)
    return program.now


cdef double near_another(WheelProgram *program, unsigned detail) noexcept:
    """The time of a timer that is or was pending, or near to it."""
    cdef size_t number = (read_byte(program.reader) * program.oracle.made) >> 8
    cdef double when = program.oracle.timers[number].when if program.oracle.made else program.now
    if detail < 8:
        return when
    if detail < 12:
        return nextafter(when, HUGE_VAL if detail & 1 else -HUGE_VAL)
    # From a quarter of a tick to a minute.
    return when + ldexp(1 if detail & 1 else -1, 2 * (detail >> 1) - 24)


cdef int check_tick(double when) except -1:
    """Whether a time lies in its tick, and a later one in no earlier tick."""
    cdef uint64_t tick = tick_of(when)
    assert tick == 0 or tick_start(tick) <= when, "a tick starts after a time in it"
    assert tick_of(tick_start(tick)) == tick, "the start of a tick is in another"
    assert tick_of(nextafter(when, HUGE_VAL)) >= tick, "a later time has an earlier tick"
    return 0


# Timers come, move and go.

cdef int add(WheelProgram *program) except -1:
    add_at(program, read_time(program, program.now))
    return 0


cdef int add_many(WheelProgram *program, int count) except -1:
    """Add timers at one time, or at even distances of some sixteenths of a tick."""
    cdef double when = read_time(program, program.now)
    cdef double step = ldexp(read_signed(program.reader), -14)
    cdef int index
    for index in range(count):
        add_at(program, when + index * step)
    return 0


cdef int add_at(WheelProgram *program, double when) except -1:
    cdef Entry *entry = NULL
    if program.oracle.made == CAPACITY:
        return 0
    say("add %zu at %.17g\n", program.oracle.made, when)
    check_tick(when)
    try:
        entry = new_entry(when)
        wheel_add(&program.wheel, entry)
    except MemoryError:
        free(entry)
        return 0
    oracle_add(&program.oracle, entry)
    return 0


cdef int remove(WheelProgram *program) except -1:
    cdef uint8_t choice = read_byte(program.reader)
    cdef size_t number
    if program.oracle.pending:
        number = oracle_pick(&program.oracle, choice)
        say("remove %zu\n", number, 0)
        wheel_remove(&program.wheel, program.oracle.timers[number].entry)
        drop(program, number)
    return 0


cdef int drop(WheelProgram *program, size_t number) except -1:
    assert program.oracle.timers[number].entry.place == NOWHERE, "who has left believes to be pending"
    oracle_drop(&program.oracle, number)
    return 0


cdef int move(WheelProgram *program) except -1:
    cdef uint8_t choice = read_byte(program.reader)
    cdef Timer *timer
    cdef double when
    if program.oracle.pending == 0:
        return 0
    timer = &program.oracle.timers[oracle_pick(&program.oracle, choice)]
    when = read_time(program, timer.when)
    say("move %zu to %.17g\n", timer.entry.sequence, when)
    note_move(&program.wheel, timer.entry, when)
    check_tick(when)
    try:
        wheel_move(&program.wheel, timer.entry, when)
    except MemoryError:
        return 0
    timer.when = when
    return 0


# Time passes.

cdef int start(WheelProgram *program) except -1:
    """Set the clock; the wheel follows if it is empty."""
    program.now = read_time(program, program.now)
    say("start %zu at %.17g\n", program.oracle.pending, program.now)
    if program.oracle.pending == 0:
        wheel_start(&program.wheel, program.now)
        program.elapsed = tick_of(program.now)
    return 0


cdef bint advance(WheelProgram *program, double now) except -1:
    """False where there was no memory."""
    cdef uint64_t before = program.elapsed, target = tick_of(now)
    program.now = now
    check_tick(now)
    try:
        wheel_advance(&program.wheel, now)
    except MemoryError:
        program.starved = True
        program.elapsed = program.wheel.elapsed
        assert before <= program.elapsed <= target, "the wheel was moved to somewhere else"
        return False
    program.starved = False
    if target > before or program.oracle.pending == 0:
        program.elapsed = target
    return True


cdef int begin_pass(WheelProgram *program) except -1:
    cdef double now = read_time(program, program.now)
    if program.depth == DEEPEST_PASS:
        return 0
    say("begin pass %zu at %.17g\n", program.depth, now)
    wheel_hold_new(&program.wheel)
    program.limit = program.oracle.made
    program.passes[program.depth] = now
    program.depth += 1
    if not advance(program, now):
        end_pass(program)
    return 0


cdef int end_pass(WheelProgram *program) except -1:
    if program.depth == 0:
        return 0
    program.depth -= 1
    say("end pass %zu\n", program.depth, 0)
    if program.depth == 0:
        wheel_release(&program.wheel)
        program.limit = CAPACITY
    return 0


cdef int whole_pass(WheelProgram *program) except -1:
    """A pass, with no other operation within it."""
    cdef int depth = program.depth
    begin_pass(program)
    if program.depth > depth:
        check_wheel(program)
        pop_all(program)
        end_pass(program)
    return 0


cdef int tick_on(WheelProgram *program) except -1:
    """What a clock that is moved by hand does: it has no passes."""
    cdef double now = read_time(program, program.now)
    if program.depth == 0:
        say("advance %zu to %.17g\n", program.oracle.pending, now)
        advance(program, now)
        pop(program)
    return 0


cdef double pass_time(WheelProgram *program) noexcept:
    return program.passes[program.depth - 1] if program.depth else program.now


cdef size_t next_due(WheelProgram *program, double now) noexcept:
    """The number of the timer that has to be popped next, or NOBODY."""
    cdef size_t number = oracle_first(&program.oracle, min(program.limit, program.oracle.made))
    cdef double when
    if number != NOBODY:
        when = program.oracle.timers[number].when
        if when <= now and tick_of(when) <= program.elapsed:
            return number
    return NOBODY


cdef Entry *expect_due(WheelProgram *program) except? NULL:
    """The entry that is due next, compared with the oracle's; or NULL."""
    cdef double now = pass_time(program)
    cdef size_t expected = next_due(program, now), number = NOBODY
    cdef Entry *entry
    if program.starved:
        return NULL
    entry = wheel_due(&program.wheel, now)
    if entry != NULL:
        number = entry.sequence
    say("due %zu at %.17g\n", number, now)
    assert number == expected, f"{number} is due, should be {expected} ({NOBODY} is none)"
    assert entry == NULL or entry == program.oracle.timers[number].entry, "another entry is due"
    return entry


cdef int pop(WheelProgram *program) except -1:
    cdef Entry *entry = expect_due(program)
    if entry != NULL:
        wheel_remove(&program.wheel, entry)
        drop(program, entry.sequence)
    return 0


cdef int put_off(WheelProgram *program) except -1:
    """A call that turns out to have been moved later: it stays, in its old turn."""
    cdef Entry *entry = expect_due(program)
    cdef Timer *timer
    cdef double when
    if entry == NULL:
        return 0
    timer = &program.oracle.timers[entry.sequence]
    when = read_time(program, timer.when)
    if when < timer.when:
        return 0
    say("put off %zu to %.17g\n", entry.sequence, when)
    note_move(&program.wheel, entry, when)
    check_tick(when)
    try:
        wheel_move(&program.wheel, entry, when)
    except MemoryError:
        return 0
    timer.when = when
    return 0


cdef int pop_all(WheelProgram *program) except -1:
    """Pop all that is due: each after the one before, and none left behind."""
    cdef Oracle *oracle = &program.oracle
    cdef double now = pass_time(program)
    cdef size_t previous = NOBODY, number
    cdef Entry *entry
    if program.starved:
        return 0
    while True:
        entry = wheel_due(&program.wheel, now)
        if entry == NULL:
            break
        number = entry.sequence
        wheel_remove(&program.wheel, entry)
        say("pop %zu at %.17g\n", number, now)
        assert number < oracle.made and oracle.timers[number].entry == entry, "popped who is not pending"
        assert oracle.timers[number].when <= now, "popped one that is not due"
        assert number < program.limit, "popped one that is held"
        assert previous == NOBODY or oracle_precedes(oracle, previous, number), "popped out of order"
        drop(program, number)
        previous = number
    assert next_due(program, now) == NOBODY, "left one behind that is due"
    return 0


# Questions.

cdef int ask_next(WheelProgram *program) except -1:
    cdef double exact, answer
    cdef size_t budget = program.budget if program.budget else 2 * program.oracle.pending
    if program.oracle.pending == 0 or program.starved:
        return 0
    exact = program.oracle.timers[oracle_first(&program.oracle, program.oracle.made)].when
    answer = wheel_next(&program.wheel, budget)
    say("next, of budget %zu, is %.17g\n", budget, answer)
    if answer == exact:
        return 0
    assert program.budget, f"the next deadline is {exact}, not {answer}"
    assert answer < exact, f"the next deadline is {exact}, the bound is {answer}"
    assert tick_of(answer) > program.elapsed, "waiting for the bound does not get on"
    return 0


cdef int look_at_first(WheelProgram *program) except -1:
    """Move the wheel to the first timer, perhaps ahead of the clock."""
    cdef Node *first
    cdef double now = program.now
    cdef size_t expected = oracle_first(&program.oracle, program.oracle.made)
    if expected == NOBODY or program.depth or program.budget or program.starved:
        return 0
    say("look at the first of %zu at %.17g\n", program.oracle.pending, now)
    if advance(program, wheel_next(&program.wheel, 2 * program.oracle.pending)):
        first = wheel_first_due(&program.wheel)
        assert first != NULL, "nothing is due at the first deadline"
        assert first.entry.sequence == expected, f"{first.entry.sequence} is first, not {expected}"
    program.now = now
    return 0


cdef struct Copy:
    Node *end
    size_t left


cdef int copy_node(Entry *entry, void *argument) noexcept:
    """Copy a node to the end; stop when none is left to be copied."""
    cdef Copy *copy = <Copy *>argument
    if copy.left == 0:
        return 1
    copy.left -= 1
    copy.end.when = entry.when
    copy.end.sequence = entry.sequence
    copy.end.entry = entry
    copy.end += 1
    return 0


cdef int visit(WheelProgram *program) except -1:
    """Visit all entries or less than 128 of them, and sort them."""
    cdef size_t index, number, wanted = read_byte(program.reader), size = program.oracle.pending
    cdef bint stopped = wanted < 128 and wanted < size
    cdef Copy copy
    cdef Node *ordered
    if stopped:
        size = wanted
    say("visit %zu\n", size, 0)
    copy.end = program.nodes
    copy.left = size
    assert wheel_each(&program.wheel, copy_node, &copy) == stopped, "another number was visited"
    assert copy.left == 0, "not all were visited"
    ordered = merge_sort(program.nodes, copy.end, size)
    for index in range(size):
        number = ordered[index].sequence
        assert program.oracle.timers[number].entry == ordered[index].entry, "visited who is not pending"
        assert program.oracle.timers[number].when == ordered[index].when, "a deadline has changed"
        assert index == 0 or oracle_precedes(
            &program.oracle, ordered[index - 1].sequence, number), "sorted wrongly"
    return 0


# Ends.

cdef int drain(WheelProgram *program) except -1:
    """Take all out, in order: what is done when a reactor gets its own timers back."""
    say("drain %zu\n", program.oracle.pending, 0)
    wheel_release(&program.wheel)
    program.limit = CAPACITY
    program.depth = 0
    if advance(program, HUGE_VAL):
        pop_all(program)
        assert program.oracle.pending == 0, "the wheel is empty, the oracle is not"
    return 0


cdef int detach_all(WheelProgram *program) except -1:
    """Take all out, in no order: what is done when a wheel goes."""
    cdef Entry *entry = wheel_any(&program.wheel)
    say("detach %zu\n", program.oracle.pending, 0)
    while entry != NULL:
        wheel_remove(&program.wheel, entry)
        drop(program, entry.sequence)
        entry = wheel_any(&program.wheel)
    assert program.oracle.pending == 0, "some could not be found"
    return 0


cdef int starve(WheelProgram *program) except -1:
    """Have one of the next allocations fail."""
    global countdown
    countdown = read_byte(program.reader) & 3
    say("starve after %zu\n", countdown, 0)
    return 0


cdef inline void say(const char *format, size_t number, double when) noexcept:
    if show_steps:
        fprintf(stderr, format, number, when)
