# Who scheduled a timer: the code and offset of the nearest frames outside Twisted and this package.
#
# An origin keeps a reference to the code and an offset. It looks up the line when somebody asks.

cdef extern from *:
    """
    #include <frameobject.h>
    #if PY_VERSION_HEX >= 0x030B0000
      #define timerwheel_globals(frame) PyFrame_GetGlobals(frame)
      #define timerwheel_offset(frame) PyFrame_GetLasti(frame)
    #else
      static PyObject *timerwheel_globals(PyFrameObject *frame) {
          return PyObject_GetAttrString((PyObject *)frame, "f_globals");
      }
      static int timerwheel_offset(PyFrameObject *frame) {
          PyObject *offset = PyObject_GetAttrString((PyObject *)frame, "f_lasti");
          int result = offset == NULL ? -1 : (int)PyLong_AsLong(offset);
          Py_XDECREF(offset);
          return result;
      }
    #endif
    """
    ctypedef struct PyFrameObject
    ctypedef struct PyCodeObject
    PyFrameObject *PyEval_GetFrame() noexcept
    PyObject *frame_back "(PyObject *)PyFrame_GetBack"(PyFrameObject *) except? NULL
    PyObject *frame_code "(PyObject *)PyFrame_GetCode"(PyFrameObject *) noexcept
    PyObject *frame_globals "timerwheel_globals"(PyFrameObject *) except NULL
    int frame_offset "timerwheel_offset"(PyFrameObject *) except? -1
    int PyCode_Addr2Line(PyCodeObject *, int) noexcept

cdef enum:
    MOST_FRAMES = 64        # to search

ORIGIN = "_timerwheel_origin"       # the attribute of a call, in its own dict
cdef str origin_attribute = ORIGIN

# In these functions of Twisted's a reactor's loop begins: frames below them did not schedule the timer.
cdef frozenset LOOPS = frozenset((
    "run", "mainLoop", "runUntilCurrent", "simulate", "_onTimer", "doIteration"))


@cython.final
@cython.freelist(64)
cdef class Origin:
    """Where a timer was scheduled: the nearest two frames outside Twisted, asyncio and timerwheel."""

    cdef object code, caller        # caller: None if there is only one frame
    cdef int offset, caller_offset

    @property
    def frames(self):
        """(name, file, line) of each frame, the nearest first."""
        cdef list frames = [frame_name(self.code, self.offset)]
        if self.caller is not None:
            frames.append(frame_name(self.caller, self.caller_offset))
        return tuple(frames)

    @property
    def key(self):
        """Equal for equal places, while either exists."""
        return id(self.code), self.offset, id(self.caller), self.caller_offset

    def __str__(self):
        return ", called by ".join([f"{file}:{line} in {name}" for name, file, line in self.frames])


cdef tuple frame_name(object code, int offset):
    return (
        getattr(code, "co_qualname", code.co_name),
        code.co_filename,
        PyCode_Addr2Line(<PyCodeObject *>code, offset))


cdef inline int remember_origin(CallWatch watch, object call) except -1:
    """Remember who schedules a call, if this one is in the sample."""
    cdef bint is_turn
    acquire(watch.lock)
    watch.until_origin -= 1
    is_turn = watch.until_origin == 0
    if is_turn:
        watch.until_origin = watch.origins
    release(watch.lock)
    if is_turn:
        (<dict>PyObject_GenericGetDict(call, NULL))[origin_attribute] = find_origin()
    return 0


cpdef Origin find_origin():
    """The place that called the running Python code, or None if it is unknown.

    If the program has no frame above the reactor's loop, this returns Twisted's nearest frame.
    """
    cdef PyFrameObject *current = PyEval_GetFrame()
    cdef object frame, code
    cdef Origin origin = None
    cdef bint outside = False
    cdef int left = MOST_FRAMES
    if current == NULL:
        return None
    frame = <object>current
    while frame is not None and left:
        left -= 1
        code = owned(frame_code(<PyFrameObject *>frame))
        kind = frame_kind(<PyFrameObject *>frame, code)
        if kind == LOOP:
            break
        if kind == PROGRAM and outside:
            origin.caller = code
            origin.caller_offset = frame_offset(<PyFrameObject *>frame)
            break
        if kind == PROGRAM or origin is None and kind == LIBRARY:
            origin = Origin.__new__(Origin)
            origin.code = code
            origin.offset = frame_offset(<PyFrameObject *>frame)
            outside = kind == PROGRAM
        back = frame_back(<PyFrameObject *>frame)
        frame = None if back == NULL else owned(back)
    return origin


cdef enum Kind:
    PROGRAM
    LIBRARY
    OURS
    LOOP


cdef Kind frame_kind(PyFrameObject *frame, object code) except *:
    """The owner of a frame, by the name of its module."""
    cdef object namespace = owned(frame_globals(frame))
    cdef PyObject *found = PyDict_GetItemWithError(namespace, "__name__")
    cdef str name
    if found == NULL or type(<object>found) is not str:
        return PROGRAM
    name = <str>found
    if name.startswith("timerwheel."):
        return OURS
    if not name.startswith(("twisted.", "asyncio.")):
        return PROGRAM
    if name.startswith("twisted.internet.") and code.co_name in LOOPS:
        return LOOP
    return LIBRARY
