# Locks, for a Python without the GIL. With a GIL all of this compiles to nothing.
#
# A lock guards a wheel or a priority queue, and the fields of its entries: links, deadline, mark, owner,
# callback. There are 256 locks, and nothing frees them. A wheel has the number of its lock. An entry has
# the number of the wheel that it is in or was in last. So with an entry you can lock its wheel without
# reading the wheel, which another thread may be freeing. That thread first takes the entries out under the
# same lock. (CPython's critical sections do not fit: one locks an object that must stay, and a second one
# inside it may release the first.) If two wheels share a number, they wait for each other, with no other
# effect.
#
# When an entry changes its number, a thread that reads the new number must also see the changes made to
# the entry under the old lock. So store the number with release order and load it with acquire order.
#
# Under a lock, run no code of the program and do not wait: read no clock, release no reference that may be
# the last, take no second lock. `owner` is a borrowed reference to an object that may be about to go, so do
# not make a new reference from it (see queue_to_tell).

cdef extern from *:
    """
    #ifdef Py_GIL_DISABLED
      #define TIMERWHEEL_FREE_THREADED 1
      /* Each in a cache line of its own. */
      static union { PyMutex mutex; char line[64]; } timerwheel_locks[256];
      #define timerwheel_acquire(number) PyMutex_Lock(&timerwheel_locks[number].mutex)
      #define timerwheel_release(number) PyMutex_Unlock(&timerwheel_locks[number].mutex)
      /* What a weak reference refers to, with a reference; or NULL if that is going. */
      static PyObject *timerwheel_referent(PyObject *ref) {
          PyObject *object;
          PyWeakref_GetRef(ref, &object);
          return object;
      }
      #define timerwheel_renew_locks() memset(timerwheel_locks, 0, sizeof(timerwheel_locks))
      #ifdef _MSC_VER
        #include <intrin.h>
        #define timerwheel_load(number) ((uint8_t)_InterlockedOr8((volatile char *)(number), 0))
        #define timerwheel_store(number, value) \\
            _InterlockedExchange8((volatile char *)(number), (char)(value))
        #define timerwheel_next(number) ((uint8_t)_InterlockedExchangeAdd8((volatile char *)(number), 1))
        #define timerwheel_load_pointer(pointer) \\
            ((PyObject *)_InterlockedCompareExchangePointer((void *volatile *)(pointer), NULL, NULL))
      #else
        #define timerwheel_load(number) __atomic_load_n((number), __ATOMIC_ACQUIRE)
        #define timerwheel_store(number, value) __atomic_store_n((number), (value), __ATOMIC_RELEASE)
        #define timerwheel_next(number) __atomic_fetch_add((number), 1, __ATOMIC_RELAXED)
        #define timerwheel_load_pointer(pointer) __atomic_load_n((pointer), __ATOMIC_ACQUIRE)
      #endif
    #else
      #define TIMERWHEEL_FREE_THREADED 0
      #define timerwheel_acquire(number) ((void)0)
      #define timerwheel_release(number) ((void)0)
      #define timerwheel_referent(ref) NULL
      #define timerwheel_renew_locks() ((void)0)
      #define timerwheel_load(number) (*(number))
      #define timerwheel_store(number, value) (*(number) = (value))
      #define timerwheel_next(number) 0
      #define timerwheel_load_pointer(pointer) (*(pointer))
    #endif
    """
    const bint FREE_THREADED "TIMERWHEEL_FREE_THREADED"
    void acquire "timerwheel_acquire"(uint8_t number) noexcept
    void release "timerwheel_release"(uint8_t number) noexcept
    void renew_locks "timerwheel_renew_locks"() noexcept
    uint8_t load_number "timerwheel_load"(uint8_t *number) noexcept
    void store_number "timerwheel_store"(uint8_t *number, uint8_t value) noexcept
    uint8_t next_number "timerwheel_next"(uint8_t *number) noexcept
    PyObject *referent "timerwheel_referent"(PyObject *ref) except? NULL
    PyObject *load_pointer "timerwheel_load_pointer"(PyObject **pointer) noexcept


cdef uint8_t newest_lock = 0


cdef inline uint8_t new_lock() noexcept:
    """The number of the lock of a new wheel."""
    return next_number(&newest_lock)


cdef inline void acquire_entry(Entry *entry) noexcept:
    """Take the lock of an entry, until release(entry.lock)."""
    cdef uint8_t number
    if FREE_THREADED:
        while True:
            number = load_number(&entry.lock)
            acquire(number)
            if load_number(&entry.lock) == number:  # else it has moved to another wheel meanwhile
                return
            release(number)


cdef inline void acquire_to_add(Entry *entry, PyObject **owner, uint8_t number) noexcept:
    """Take this lock, and make it the lock of an entry that the caller will add to a wheel with this lock.

    If the entry is in a wheel already (owner is not NULL), take that wheel's. Until release(entry.lock).
    """
    cdef uint8_t last
    if FREE_THREADED:
        while True:
            acquire_entry(entry)
            last = entry.lock
            if last == number or owner[0] != NULL:
                return
            store_number(&entry.lock, number)
            release(last)


def _renew_locks():
    """In a forked child: the threads that held locks do not exist here."""
    renew_locks()


if FREE_THREADED:
    import os

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_renew_locks)
