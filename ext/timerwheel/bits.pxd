# cython: language_level=3
"""The positions of the lowest and the highest set bit of a 64-bit word.

One instruction with gcc and clang; a plain loop-free search everywhere else.
The word must not be zero.
"""

from libc.stdint cimport uint64_t

cdef extern from *:
    """
    #include <stdint.h>
    #if defined(__GNUC__) || defined(__clang__)
      #define timerwheel_lowest_bit(word) ((unsigned)__builtin_ctzll(word))
      #define timerwheel_highest_bit(word) (63u - (unsigned)__builtin_clzll(word))
      #define timerwheel_prefetch(address) __builtin_prefetch(address)
    #else
      static unsigned timerwheel_highest_bit(uint64_t word) {
          unsigned bit = 0;
          if (word >> 32) { bit += 32; word >>= 32; }
          if (word >> 16) { bit += 16; word >>= 16; }
          if (word >> 8)  { bit += 8;  word >>= 8; }
          if (word >> 4)  { bit += 4;  word >>= 4; }
          if (word >> 2)  { bit += 2;  word >>= 2; }
          return bit + (unsigned)(word >> 1);
      }
      /* word & -word leaves the lowest set bit alone. */
      #define timerwheel_lowest_bit(word) timerwheel_highest_bit((word) & (0 - (word)))
      #define timerwheel_prefetch(address) ((void)(address))
    #endif
    """
    unsigned lowest_bit "timerwheel_lowest_bit"(uint64_t word) noexcept nogil
    unsigned highest_bit "timerwheel_highest_bit"(uint64_t word) noexcept nogil
    void prefetch "timerwheel_prefetch"(const void *address) noexcept nogil
