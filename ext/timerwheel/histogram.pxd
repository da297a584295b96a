# cython: language_level=3
"""A log-linear histogram, as HdrHistogram's: values of any size, counted with one relative error.

Each power of two is an octave of 16 equal buckets, so a bucket is at most 1/16 as wide as its values are
large. A double contains its bucket: the exponent is the octave, and the first four bits of the mantissa are
the place in it. Recording is a shift and three additions.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy


cdef enum:
    SUB_BITS = 4
    OCTAVES = 32
    BUCKETS = 514           # (OCTAVES << SUB_BITS), one below them and one beyond
    MANTISSA_BITS = 52
    EXPONENT_BIAS = 1023


cdef struct Histogram:
    double total            # of all values
    double largest
    uint64_t counts[514]    # BUCKETS


cdef inline int64_t bucket_of(double value, int lowest) noexcept nogil:
    """The bucket of a value. The octaves begin at 2**lowest; negative values are below them."""
    cdef int64_t bits, place
    if value != value:      # NaN, whose sign depends on the processor
        return BUCKETS - 1
    memcpy(&bits, &value, sizeof(bits))
    place = (bits >> (MANTISSA_BITS - SUB_BITS)) - ((EXPONENT_BIAS + lowest) << SUB_BITS) + 1
    return 0 if place < 0 else min(place, BUCKETS - 1)


cdef inline void record(Histogram *histogram, double value, int lowest) noexcept nogil:
    """Count a value. NaN (inf - inf) counts as beyond all, and is not in the total."""
    histogram.counts[bucket_of(value, lowest)] += 1
    if value == value:
        histogram.total += value
    if value > histogram.largest:
        histogram.largest = value
