# Programs for the heap by itself, as the priority queue uses it.

cdef struct HeapProgram:
    Reader *reader
    Oracle oracle
    Heap heap


cdef HeapProgram heap_program


cdef int run_heap_program(Reader *reader) except -1:
    cdef HeapProgram *program = &heap_program
    program.reader = reader
    program.oracle.made = program.oracle.pending = 0
    heap_init(&program.heap)
    try:
        while reader.next < reader.end:
            heap_operation(program)
            check_heap(program)
        pop_rest(program)
    finally:
        heap_free(&program.heap)
    return 0


cdef int heap_operation(HeapProgram *program) except -1:
    cdef uint8_t operation = read_byte(program.reader) & 7
    if operation <= 1:
        push_many(program, 1)
    elif operation == 2:
        push_many(program, read_byte(program.reader) % BURST + 1)
    elif operation == 3:
        heap_pop(program)
    elif operation == 4:
        heap_take_any(program)
    elif operation <= 6:
        update(program)
    else:
        rare_heap_operation(program)
    return 0


cdef int rare_heap_operation(HeapProgram *program) except -1:
    global countdown
    cdef uint8_t detail = read_byte(program.reader)
    cdef unsigned operation = detail & 3
    if operation == 0:
        push_many(program, FLOOD)
    elif operation == 1:
        clear(program)
    else:
        countdown = detail >> 6
        say("starve after %zu\n", countdown, 0)
    return 0


cdef int check_heap(HeapProgram *program) except -1:
    cdef size_t first
    assert heap_is_sound(&program.heap), "the heap is out of order"
    assert program.heap.size == program.oracle.pending, "the size is not that of the oracle"
    if program.oracle.pending:
        first = oracle_first(&program.oracle, program.oracle.made)
        assert program.heap.nodes[0].sequence == first, f"{first} should be first"
        assert program.heap.nodes[0].entry == program.oracle.timers[first].entry, "another entry is first"
    return 0


cdef double read_priority(HeapProgram *program) noexcept:
    """One of a few numbers, so that many are equal."""
    cdef int number = read_signed(program.reader)
    if number == -128 or number == 127:
        return number * HUGE_VAL
    return number / 4.0


cdef int push_many(HeapProgram *program, int count) except -1:
    """Push entries at even distances."""
    cdef double priority = read_priority(program)
    cdef double step = read_signed(program.reader) if count > 1 else 0
    cdef int index
    for index in range(count):
        push(program, priority + index * step)
    return 0


cdef int push(HeapProgram *program, double priority) except -1:
    cdef Entry *entry
    if program.oracle.made == CAPACITY:
        return 0
    say("push %zu with %.17g\n", program.oracle.made, priority)
    try:
        heap_reserve(&program.heap, program.heap.size + 1)
        entry = new_entry(priority)
    except MemoryError:
        return 0
    entry.sequence = program.oracle.made
    heap_push(&program.heap, entry)
    oracle_add(&program.oracle, entry)
    return 0


cdef int heap_take(HeapProgram *program, size_t number) except -1:
    heap_remove(&program.heap, program.oracle.timers[number].entry)
    heap_shrink(&program.heap, program.heap.size)
    oracle_drop(&program.oracle, number)
    return 0


cdef int heap_pop(HeapProgram *program) except -1:
    if program.oracle.pending:      # that the right one is first was seen after the last operation
        say("pop %zu\n", program.heap.nodes[0].sequence, 0)
        heap_take(program, program.heap.nodes[0].sequence)
    return 0


cdef int pop_rest(HeapProgram *program) except -1:
    """Pop all: each after the one before."""
    cdef size_t previous = NOBODY, number
    while program.oracle.pending:
        number = program.heap.nodes[0].sequence
        assert previous == NOBODY or oracle_precedes(&program.oracle, previous, number), "popped out of order"
        heap_pop(program)
        previous = number
    assert program.heap.size == 0, "the oracle is empty, the heap is not"
    return 0


cdef int heap_take_any(HeapProgram *program) except -1:
    cdef uint8_t choice = read_byte(program.reader)
    cdef size_t number
    if program.oracle.pending:
        number = oracle_pick(&program.oracle, choice)
        say("remove %zu\n", number, 0)
        heap_take(program, number)
    return 0


cdef int update(HeapProgram *program) except -1:
    cdef uint8_t choice = read_byte(program.reader)
    cdef double priority = read_priority(program)
    cdef size_t number
    if program.oracle.pending:
        number = oracle_pick(&program.oracle, choice)
        say("update %zu to %.17g\n", number, priority)
        program.oracle.timers[number].when = priority
        program.oracle.timers[number].entry.when = priority
        heap_update(&program.heap, program.oracle.timers[number].entry)
    return 0


cdef int clear(HeapProgram *program) except -1:
    """Take all out from the end."""
    say("clear %zu\n", program.oracle.pending, 0)
    while program.heap.size:
        heap_take(program, program.heap.nodes[program.heap.size - 1].sequence)
    return 0
