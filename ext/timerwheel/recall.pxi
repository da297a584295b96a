# What is recalled of a reactor, in place of looking it up each time.
#
# Each timer asks its reactor for seconds(), each pass for threadCallQueue and _justStopped. Since 3.12
# CPython tells, before it happens, that a dict is to be changed (PyDict_Watch): the reactor's own and
# those of its classes are watched, and what was found in them is good until one of them changes. Older
# Pythons do not tell: there all is looked up each time, which takes about 50 ns for each.
#
# Nothing is recalled of an attribute that Python computes: a property, a slot, a bound method.

cdef str KEY = "_timerwheel"    # the attribute of a reactor, in its own dict, that holds its queue

cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030C0000
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
    int watch_dict "timerwheel_watch"(int watcher, object dict) except -1
    object type_dict "timerwheel_type_dict"(PyTypeObject *type)
    int add_watcher "timerwheel_add_watcher"(
        int (*callback)(int, PyObject *, PyObject *, PyObject *) noexcept) noexcept

cdef extern from "Python.h":
    PyObject *generic_getattr "PyObject_GenericGetAttr"(PyObject *, PyObject *)


cdef int watcher = -1           # -1: no dict is watched
cdef uint64_t changes = 0       # of watched dicts, so far, that may change what is recalled

# The names that are recalled, and those that may change how any is looked up.
cdef frozenset RECALLED = frozenset((
    KEY, "seconds", "threadCallQueue", "_justStopped", "debug", "__getattr__", "__getattribute__"))

cdef uint64_t debug_found = 0               # at how many changes the next was found; 0: it was not
cdef bint debug_recalled = False

cdef uint64_t queue_found = 0
cdef PyObject *namespace_recalled = NULL    # of the reactor that was asked last, and its queue
cdef PyObject *queue_recalled = NULL


cdef int note_change(int event, PyObject *dict, PyObject *key, PyObject *value) noexcept:
    """Called before a watched dict is changed, cleared or deallocated."""
    global changes
    if key == NULL or <object>key in RECALLED:
        changes += 1
    return 0


cdef int start_watching() except -1:
    """A process has eight watchers. Where none is left, all is looked up."""
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
    if WATCHES and recalls(queue, reactor) and queue.recalled.seconds != NULL:
        return <object>queue.recalled.seconds
    return reactor.seconds


cdef inline bint has_thread_calls(CallQueue queue, object reactor) except -1:
    """The truth of `reactor.threadCallQueue`."""
    if WATCHES and recalls(queue, reactor) and queue.recalled.thread_calls != NULL:
        return <object>queue.recalled.thread_calls
    return reactor.threadCallQueue


cdef inline bint has_just_stopped(CallQueue queue, object reactor) except -1:
    """The truth of `reactor._justStopped`."""
    if WATCHES and recalls(queue, reactor) and queue.recalled.just_stopped != NULL:
        return <object>queue.recalled.just_stopped
    return reactor._justStopped


cdef inline bint recalls(CallQueue queue, object reactor) except -1:
    """Whether what the queue recalls is true of the reactor now. Finds it anew if it was not."""
    cdef Recalled *recalled = &queue.recalled
    if (recalled.found == changes and recalled.reactor == <PyObject *>reactor
            and recalled.type == Py_TYPE(reactor) and recalled.type.tp_mro == <PyObject *>queue.mro):
        return recalled.found != 0
    return find_all(queue, reactor)


cdef bint find_all(CallQueue queue, object reactor) except -1:
    """Find what can be recalled of a reactor, once its dicts are watched. Returns whether they are."""
    global queue_found, namespace_recalled, queue_recalled
    cdef Recalled *recalled = &queue.recalled
    cdef dict namespace
    recalled.found = 0
    if watcher < 0:
        return False
    namespace = PyObject_GenericGetDict(reactor, NULL)
    watch_dict(watcher, namespace)
    recalled.reactor = <PyObject *>reactor
    recalled.type = Py_TYPE(reactor)
    queue.mro = <object>recalled.type.tp_mro
    for base in <tuple>queue.mro:
        watch_dict(watcher, type_dict(<PyTypeObject *>base))
    recalled.seconds = find(queue, namespace, "seconds")
    recalled.thread_calls = find(queue, namespace, "threadCallQueue")
    recalled.just_stopped = find(queue, namespace, "_justStopped")
    recalled.found = changes
    if PyDict_GetItemWithError(namespace, KEY) == <PyObject *>queue:
        namespace_recalled, queue_recalled, queue_found = <PyObject *>namespace, <PyObject *>queue, changes
    return True


cdef PyObject *find(CallQueue queue, dict namespace, str name) except? NULL:
    """An attribute's value, borrowed from the dict that has it; NULL if there is none or it is computed."""
    cdef PyObject *own = PyDict_GetItemWithError(namespace, name)
    cdef PyObject *found = NULL
    if queue.recalled.type.tp_getattro != generic_getattr:
        return NULL
    for base in <tuple>queue.mro:
        found = PyDict_GetItemWithError(type_dict(<PyTypeObject *>base), name)
        if found != NULL:
            break
    if own != NULL:
        return own if found == NULL or found.ob_type.tp_descr_set == NULL else NULL
    if found != NULL and type(<object>found) is staticmethod:
        return <PyObject *>(<object>found).__func__
    return found if found != NULL and found.ob_type.tp_descr_get == NULL else NULL
