#ifndef COMMON_CRC32C_H
#define COMMON_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4) of n octets at p, going on from
 * crc; begin with 0. crc32c(crc32c(0, a), b) is the CRC of a followed by b.
 */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/* The same by table alone; for the test that compares the two. */
uint32_t crc32c_table(uint32_t crc, const void *p, size_t n);

#endif
