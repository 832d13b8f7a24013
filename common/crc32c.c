/*
 * CRC-32C, by the processor's instruction where there is one, else by tables,
 * eight octets at a time. Which one is found out at the first call.
 *
 * Used by the spool for every octet it writes or reads back; holds no state
 * besides the tables.
 */
#include <string.h>

#include "common/crc32c.h"

#define POLY	0x82f63b78U	/* the polynomial, bits reversed */

static uint32_t	table[8][256];

static void
table_init(void)
{
	uint32_t	c;
	int		i, j;

	for (i = 0; i < 256; i++) {
		c = (uint32_t)i;
		for (j = 0; j < 8; j++)
			c = (c & 1) != 0 ? (c >> 1) ^ POLY : c >> 1;
		table[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (j = 1; j < 8; j++)
			table[j][i] = (table[j - 1][i] >> 8) ^
			    table[0][table[j - 1][i] & 0xff];
}

uint32_t
crc32c_table(uint32_t crc, const void *p, size_t n)
{
	const uint8_t	*b = p;

	if (table[0][1] == 0)
		table_init();
	crc = ~crc;
	for (; n >= 8; n -= 8, b += 8) {
		crc ^= (uint32_t)b[0] | (uint32_t)b[1] << 8 |
		    (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
		crc = table[7][crc & 0xff] ^ table[6][(crc >> 8) & 0xff] ^
		    table[5][(crc >> 16) & 0xff] ^ table[4][crc >> 24] ^
		    table[3][b[4]] ^ table[2][b[5]] ^ table[1][b[6]] ^
		    table[0][b[7]];
	}
	for (; n > 0; n--, b++)
		crc = (crc >> 8) ^ table[0][(crc ^ *b) & 0xff];
	return ~crc;
}

#if defined(__x86_64__) && defined(__GNUC__)

__attribute__((__target__("sse4.2")))
static uint32_t
crc32c_sse42(uint32_t crc, const void *p, size_t n)
{
	const uint8_t	*b = p;
	uint64_t	 c = ~crc, w;

	for (; n >= 8; n -= 8, b += 8) {
		memcpy(&w, b, 8);
		c = __builtin_ia32_crc32di(c, w);
	}
	for (; n > 0; n--, b++)
		c = __builtin_ia32_crc32qi((uint32_t)c, *b);
	return ~(uint32_t)c;
}

static int
have_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}

#else

#define crc32c_sse42	crc32c_table

static int
have_instruction(void)
{
	return 0;
}

#endif

uint32_t
crc32c(uint32_t crc, const void *p, size_t n)
{
	static uint32_t	(*impl)(uint32_t, const void *, size_t);

	if (impl == NULL)
		impl = have_instruction() ? crc32c_sse42 : crc32c_table;
	return impl(crc, p, n);
}
