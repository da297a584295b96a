# The base of all handles: an entry in a wheel, its callback and its memory.
#
# C pointers hold the callback, NULL for none. This file allocates and frees handles, not the functions that
# Cython generates. A new handle is untracked, because tracking is most of the cost of making one. The
# memory of the last few handles is kept for the next ones.


cdef class Handle:
    """An entry in a wheel, and the function to call when it expires."""

    @property
    def func(self):
        """The function to call."""
        return attribute(self, &self._func, "func")

    @func.setter
    def func(self, func):
        if not has(self, &self._func):      # cancel() has deleted all three
            fill_pointer(self, &self._args, DELETED["args"])
            fill_pointer(self, &self._kw, DELETED["kw"])
        set_pointer(self, &self._func, func)

    # Deleting a deleted attribute is an error while the handle is pending. Later it is not: cancel()
    # deletes all three, and unittest.mock deletes once more an attribute that it has patched.

    @func.deleter
    def func(self):
        if is_pending(self):
            self.func
        if has(self, &self._func):
            set_pointer(self, &self._func, DELETED["func"])

    @property
    def args(self):
        """The positional arguments for func, a tuple."""
        if has(self, &self._func) and not has(self, &self._args):
            return ()
        return attribute(self, &self._args, "args")

    @args.setter
    def args(self, args):
        set_pointer(self, &self._args, args)

    @args.deleter
    def args(self):
        if is_pending(self):
            self.args
        set_pointer(self, &self._args, DELETED["args"])

    @property
    def kw(self):
        """The keyword arguments for func, a dict."""
        if has(self, &self._func) and not has(self, &self._kw):
            fill_pointer(self, &self._kw, {})
        return attribute(self, &self._kw, "kw")

    @kw.setter
    def kw(self, kw):
        set_pointer(self, &self._kw, kw)

    @kw.deleter
    def kw(self):
        if is_pending(self):
            self.kw
        set_pointer(self, &self._kw, DELETED["kw"])


@cython.final
@cython.internal
cdef class Deleted:
    """Stands in a handle for an attribute that the program has deleted. Any use of it fails."""

    cdef str name

    def __cinit__(self, str name):
        self.name = name

    cdef object fail(self):
        raise AttributeError(f"'DelayedCall' object has no attribute '{self.name}'")

    def __call__(self, *args, **kw):
        self.fail()

    def __iter__(self):
        self.fail()

    def keys(self):
        self.fail()


cdef dict DELETED = {name: Deleted(name) for name in ("func", "args", "kw", "seconds")}


cdef inline object attribute(Handle handle, PyObject **pointer, str name):
    """The value of an attribute. Raises AttributeError if the program or cancel() has deleted it."""
    cdef PyObject *value
    acquire_entry(&handle.entry)
    value = pointer[0]
    Py_XINCREF(value)
    release(handle.entry.lock)
    if value == NULL or value.ob_type == <PyTypeObject *>Deleted:
        Py_XDECREF(value)
        raise AttributeError(f"'{type(handle).__name__}' object has no attribute '{name}'")
    return owned(value)


cdef Handle probe = Handle.__new__(Handle)
# From a handle to its entry. (Handles in a wheel are of several types; all begin as Handle does.)
cdef size_t ENTRY_OFFSET = <char *>&probe.entry - <char *><PyObject *>probe
probe = None


cdef inline PyObject *handle_of(Entry *entry) noexcept:
    """The handle in which an entry is embedded, borrowed."""
    return <PyObject *>(<char *>entry - ENTRY_OFFSET)


cdef inline object callback_of(Handle handle):
    """func, or None if it has been released."""
    cdef PyObject *func
    acquire_entry(&handle.entry)
    func = handle._func
    Py_XINCREF(func)
    release(handle.entry.lock)
    return None if func == NULL else owned(func)


cdef inline bint is_pending(Handle handle) noexcept:
    """Whether a handle is in a wheel."""
    cdef bint pending
    acquire_entry(&handle.entry)
    pending = handle.owner != NULL
    release(handle.entry.lock)
    return pending


cdef inline bint has(Handle handle, PyObject **pointer) noexcept:
    """Whether a handle's pointer is not NULL."""
    cdef bint result
    acquire_entry(&handle.entry)
    result = pointer[0] != NULL
    release(handle.entry.lock)
    return result


cdef inline void set_pointer(Handle handle, PyObject **pointer, object value) noexcept:
    """Replace the object that a handle's pointer owns."""
    cdef PyObject *old
    Py_INCREF(value)
    acquire_entry(&handle.entry)
    old = pointer[0]
    pointer[0] = <PyObject *>value
    release(handle.entry.lock)
    Py_XDECREF(old)


cdef inline void fill_pointer(Handle handle, PyObject **pointer, object value) noexcept:
    """Make a handle's pointer, which is NULL, own an object."""
    acquire_entry(&handle.entry)
    if pointer[0] == NULL:
        Py_INCREF(value)
        pointer[0] = <PyObject *>value
    release(handle.entry.lock)


cdef inline void clear_pointer(PyObject **pointer) noexcept:
    cdef PyObject *old = pointer[0]
    pointer[0] = NULL
    Py_XDECREF(old)


cdef inline void set_callback(Handle handle, object func, tuple args, dict kw) noexcept:
    """Give a new handle its callback. Empty arguments become NULL."""
    Py_INCREF(func)
    handle._func = <PyObject *>func
    if args:
        Py_INCREF(args)
        handle._args = <PyObject *>args
    if kw:
        Py_INCREF(kw)
        handle._kw = <PyObject *>kw


cdef inline int invoke(Handle handle) except -1:
    """Call func. The handle keeps it, so the program can still read it afterwards."""
    cdef object func, args, mapping = None
    cdef PyObject *kw
    acquire_entry(&handle.entry)
    kw = handle._kw
    if handle._func == NULL:        # the collector has cleared it, and its wheel is garbage too
        # unreached: a destructor in C, run while that is taken apart, would have to advance it
        release(handle.entry.lock)
        return 0
    func = <object>handle._func
    if handle._args == NULL and kw == NULL:
        release(handle.entry.lock)
        func()
        return 0
    args = NO_ARGUMENTS if handle._args == NULL else <object>handle._args
    if kw != NULL:
        mapping = <object>kw    # a reference: another thread may replace it in the handle
    release(handle.entry.lock)
    if type(args) is not tuple:     # the program may have set another sequence
        args = tuple(args)
    invoke_with(func, args, kw)
    return 0


cdef int invoke_with(object func, tuple args, PyObject *kw) except -1:
    cdef object mapping
    if kw == NULL:
        PyObject_Call(func, args, NULL)
    else:
        mapping = <object>kw    # owned: it may be any mapping, whose methods may replace it in the handle
        func(*args, **mapping)
    return 0


cdef inline void drop_callback(Handle handle) noexcept:
    """Release func and its arguments, once they are out of reach. This may run Python code."""
    cdef PyObject *func
    cdef PyObject *args
    cdef PyObject *kw
    acquire_entry(&handle.entry)
    func = handle._func
    args = handle._args
    kw = handle._kw
    handle._func = handle._args = handle._kw = NULL
    release(handle.entry.lock)
    Py_XDECREF(func)
    Py_XDECREF(args)
    Py_XDECREF(kw)


cdef inline void track(PyObject *handle) noexcept:
    """Track a handle. A new one, or one of an immortal wheel, is not tracked yet."""
    if not PyObject_GC_IsTracked(handle):
        PyObject_GC_Track(handle)


# Memory.

# (Without a GIL this keeps none: CPython's allocator keeps memory for each thread.)
cdef enum:
    SPARES = 64

cdef PyObject *spares[SPARES]       # the memory of freed DelayedCalls and TimerHandles
cdef int spare_count = 0


cdef inline bint has_spare_size(PyTypeObject *type) noexcept:
    """Whether to keep the memory of this type's handles. They all have one size."""
    return type == <PyTypeObject *>DelayedCall or type == <PyTypeObject *>TimerHandle


cdef inline object new_handle(PyTypeObject *type, uint8_t lock):
    """A new handle of this type, untracked, and all zero except its lock."""
    global spare_count
    cdef object handle
    if not FREE_THREADED and spare_count and has_spare_size(type):
        spare_count -= 1
        allow(spares[spare_count], type.tp_basicsize)
        handle = PyObject_Init(spares[spare_count], type)
    else:
        handle = new_memory(type)
    memset(<char *><PyObject *>handle + ENTRY_OFFSET, 0, type.tp_basicsize - ENTRY_OFFSET)
    if FREE_THREADED:
        (<Handle>handle).entry.lock = lock
    return handle


cdef void dealloc_handle(PyObject *handle) noexcept:
    """Deallocate a handle. It is in no wheel.

    CPython's trashcan bounds the depth of the recursion. In a long chain of handles, each the function or
    the argument of the next, it defers the deep ones.
    """
    PyObject_GC_UnTrack(handle)
    with_trashcan(handle, dealloc_handle, free_handle)


cdef void free_handle(PyObject *handle) noexcept:
    global spare_count
    cdef PyTypeObject *type = handle.ob_type
    if type.tp_weaklistoffset and (<PyObject **>(<char *>handle + type.tp_weaklistoffset))[0] != NULL:
        PyObject_ClearWeakRefs(handle)
    type.tp_clear(handle)
    if not FREE_THREADED and has_spare_size(type) and spare_count < SPARES:
        spares[spare_count] = handle
        spare_count += 1
        forbid(handle, type.tp_basicsize)
    else:
        PyObject_GC_Del(handle)


cdef int traverse_handle(PyObject *handle, visitproc visit, void *argument) noexcept:
    # (No variable of a Python type here: it would take a reference, which the collector's count forbids.)
    cdef int result = 0
    if (<Handle>handle)._func != NULL:
        result = visit((<Handle>handle)._func, argument)
    if result == 0 and (<Handle>handle)._args != NULL:
        result = visit((<Handle>handle)._args, argument)
    if result == 0 and (<Handle>handle)._kw != NULL:
        result = visit((<Handle>handle)._kw, argument)
    return result


cdef int clear_handle(PyObject *handle) noexcept:
    drop_callback(<Handle>handle)
    return 0


cdef void manage_memory(PyTypeObject *type, traverseproc traverse, inquiry clear) noexcept:
    """Make a type of handles, without subtypes, use these functions for collection and deallocation.

    Cython makes a type that the collector tracks only if it has Python attributes.
    """
    type.tp_flags |= Py_TPFLAGS_HAVE_GC
    type.tp_traverse = traverse
    type.tp_clear = clear
    type.tp_dealloc = dealloc_handle
    type.tp_free = PyObject_GC_Del
