# Attributes of a reactor's classes that the wheel remembers, instead of looking them up each time.
#
# Each timer asks its reactor for seconds(), each pass for threadCallQueue and _justStopped. Python looks in
# the classes first, and then in the reactor's own dict. Since 3.12 CPython reports a change of a watched
# dict before it happens (PyDict_Watch). The wheel watches the dicts of the classes, and remembers what it
# found in them until one changes. So only the reactor's own dict is left to search. (The wheel does not
# watch that one: CPython 3.13.0 does not report attributes that are set.) On 3.12, searching it would cost
# more than it gains (attributes.pxi), so there the wheel remembers only DelayedCall.debug. Older Pythons do
# not report changes, and without a GIL the report may come too late. There the wheel looks everything up.

cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030C0000 && !defined(Py_GIL_DISABLED)
      #define TIMERWHEEL_WATCHES 1
      #define timerwheel_watch(watcher, dict) PyDict_Watch((watcher), (dict))
      #define timerwheel_type_dict(type) PyType_GetDict(type)
      typedef PyDict_WatchCallback timerwheel_callback;
      #define timerwheel_add_watcher(callback) PyDict_AddWatcher((timerwheel_callback)(callback))
    #else
      #define TIMERWHEEL_WATCHES 0
      #define timerwheel_watch(watcher, dict) (-1)
      #define timerwheel_type_dict(type) Py_NewRef((type)->tp_dict)
      #define timerwheel_add_watcher(callback) ((void)(callback), -1)
    #endif
    """
    const bint WATCHES "TIMERWHEEL_WATCHES"
    const bint READS_DICTS "(TIMERWHEEL_WATCHES && PY_VERSION_HEX >= 0x030D0000)"
    int watch_dict "timerwheel_watch"(int watcher, object dict) except -1
    object type_dict "timerwheel_type_dict"(PyTypeObject *type)
    int add_watcher "timerwheel_add_watcher"(
        int (*callback)(int, PyObject *, PyObject *, PyObject *) noexcept) noexcept


cdef int watcher = -1           # -1: the wheel watches no dict
cdef uint64_t changes = 0       # how many changes of watched dicts so far may affect a remembered value

# The remembered names, and the names that may change how Python looks up any name.
cdef frozenset RECALLED = frozenset((
    "seconds", "threadCallQueue", "_justStopped", "debug", "__getattr__", "__getattribute__"))

cdef uint64_t debug_found = 0               # the value of `changes` when the next was found; 0: not found yet
cdef bint debug_recalled = False


cdef int note_change(int event, PyObject *dict, PyObject *key, PyObject *value) noexcept:
    """CPython calls this before it changes, clears or deallocates a watched dict."""
    global changes
    if key == NULL or <object>key in RECALLED:
        changes += 1
    return 0


cdef int start_watching() except -1:
    """A process has eight watchers. If none is left, the wheel looks everything up."""
    global watcher, changes
    if WATCHES and watcher < 0:
        watcher = add_watcher(note_change)
        if watcher < 0:
            PyErr_Clear()
        else:
            changes = 1
    return 0


cdef inline bint debugging() except -1:
    """Whether Twisted's DelayedCall.debug is on."""
    global debug_found, debug_recalled
    if WATCHES and debug_found == changes != 0:
        return debug_recalled
    debug = stock_call.debug
    if WATCHES and watcher >= 0 and type(debug) is bool:
        watch_dict(watcher, type_dict(<PyTypeObject *>stock_call))
        debug_recalled = debug
        debug_found = changes
    return debug


cdef inline object seconds_of(CallQueue queue, object reactor):
    """`reactor.seconds`."""
    return look_up(reactor, "seconds", &queue.recalled.seconds if recalls(queue, reactor) else NULL)


cdef inline object thread_calls_of(CallQueue queue, object reactor):
    """`reactor.threadCallQueue`."""
    return look_up(
        reactor, "threadCallQueue", &queue.recalled.thread_calls if recalls(queue, reactor) else NULL)


cdef inline object just_stopped_of(CallQueue queue, object reactor):
    """`reactor._justStopped`."""
    return look_up(
        reactor, "_justStopped", &queue.recalled.just_stopped if recalls(queue, reactor) else NULL)


cdef inline object look_up(object reactor, str name, const ClassAttribute *recalled):
    """An attribute of a reactor. recalled: the classes' part of it, or NULL if that is unknown."""
    cdef PyObject *own
    if recalled != NULL and not recalled.is_computed:
        own = PyDict_GetItemWithError(PyObject_GenericGetDict(reactor, NULL), name)
        if own != NULL:
            return <object>own
        if recalled.value != NULL:
            return <object>recalled.value
    return PyObject_GetAttr(reactor, name)


cdef inline bint recalls(CallQueue queue, object reactor) except -1:
    """Whether the queue's remembered values are current. Finds them again if they are not."""
    cdef Recalled *recalled = &queue.recalled
    if (READS_DICTS and recalled.found == changes != 0
            and recalled.type == Py_TYPE(reactor) and recalled.type.tp_mro == <PyObject *>queue.mro):
        return True
    return READS_DICTS and watcher >= 0 and find_all(queue, reactor)


cdef bint find_all(CallQueue queue, object reactor) except -1:
    """Find the attributes of a reactor's classes, once their dicts are watched."""
    cdef Recalled *recalled = &queue.recalled
    recalled.found = 0
    recalled.type = Py_TYPE(reactor)
    queue.functions = []
    queue.mro = <object>recalled.type.tp_mro
    for base in <tuple>queue.mro:
        watch_dict(watcher, type_dict(<PyTypeObject *>base))
    find(queue, "seconds", &recalled.seconds)
    find(queue, "threadCallQueue", &recalled.thread_calls)
    find(queue, "_justStopped", &recalled.just_stopped)
    recalled.found = changes
    return True


cdef int find(CallQueue queue, str name, ClassAttribute *attribute) except -1:
    cdef PyObject *found = NULL
    for base in <tuple>queue.mro:
        found = PyDict_GetItemWithError(type_dict(<PyTypeObject *>base), name)
        if found != NULL:
            break
    attribute.value = NULL
    # (A type that is not a builtin may become a descriptor type.)
    attribute.is_computed = queue.recalled.type.tp_getattro != generic_getattr or found != NULL and (
        found.ob_type.tp_descr_set != NULL or not found.ob_type.tp_flags & Py_TPFLAGS_IMMUTABLETYPE)
    if found != NULL and type(<object>found) is staticmethod:
        queue.functions.append((<object>found).__func__)
        attribute.value = <PyObject *>queue.functions[-1]
    elif found != NULL and found.ob_type.tp_descr_get == NULL:
        attribute.value = found
    return 0
