/*
 * The header of the PROXY protocol, by which a load balancer says who its
 * client is. Part of the front-end; pure; session.c calls it for listeners
 * that expect one, from networks that may send one. Versions 1 (a line) and 2
 * (binary) of the specification; what is not exactly a header is refused.
 *
 * Of the further values of version 2 the checksum is verified; whatever else
 * they say about TLS or names is the balancer's word and counts for nothing.
 */

#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/crc32c.h"
#include "msad/frontend/proxy.h"

#define V2_HEAD		16
#define TLV_CRC32C	0x03

static const char	 signature[12] = {
	'\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n'
};

static void
set_v4(struct sockaddr_storage *ss, const void *addr, uint16_t port)
{
	struct sockaddr_in	 in;

	memset(&in, 0, sizeof(in));
	in.sin_family = AF_INET;
	in.sin_port = htons(port);
	memcpy(&in.sin_addr, addr, 4);
	memcpy(ss, &in, sizeof(in));
}

static void
set_v6(struct sockaddr_storage *ss, const void *addr, uint16_t port)
{
	struct sockaddr_in6	 in6;

	memset(&in6, 0, sizeof(in6));
	in6.sin6_family = AF_INET6;
	in6.sin6_port = htons(port);
	memcpy(&in6.sin6_addr, addr, 16);
	memcpy(ss, &in6, sizeof(in6));
}

/* --- version 1 --- */

/* Up to the next blank, or to the end; in begins behind it then. */
static struct slice
next_field(struct slice *in)
{
	const char	*blank = memchr(in->p, ' ', in->len);
	struct slice	 field = *in;

	if (blank == NULL) {
		*in = SLICE(in->p + in->len, 0);
		return field;
	}
	field.len = (size_t)(blank - in->p);
	*in = SLICE(blank + 1, in->len - field.len - 1);
	return field;
}

/* A decimal port without leading zeros. */
static bool
port_parse(struct slice s, uint16_t *port)
{
	unsigned int	n = 0;
	size_t		i;

	if (s.len == 0 || s.len > 5 || (s.len > 1 && s.p[0] == '0'))
		return false;
	for (i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + (unsigned int)(s.p[i] - '0');
	}
	*port = (uint16_t)n;
	return n <= 65535;
}

/* inet_pton() takes no leading zeros in IPv4; neither do we elsewhere. */
static bool
address_parse_text(int family, struct slice s, uint8_t addr[16])
{
	char	text[INET6_ADDRSTRLEN];
	size_t	i, run = 0;

	if (s.len == 0 || s.len >= sizeof(text))
		return false;
	for (i = 0; i < s.len; i++) {
		run = s.p[i] == ':' || s.p[i] == '.' ? 0 : run + 1;
		if (run == 2 && s.p[i - 1] == '0')
			return false;
	}
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	return inet_pton(family, text, addr) == 1;
}

static bool
v1_addresses(struct slice line, int family, struct proxy *px)
{
	struct slice	 from = next_field(&line), to = next_field(&line),
			 sport = next_field(&line), dport;
	uint8_t		 a[16], b[16];
	uint16_t	 aport, bport;

	if (line.len == 0 || memchr(line.p, ' ', line.len) != NULL)
		return false;
	dport = line;
	if (!address_parse_text(family, from, a) ||
	    !address_parse_text(family, to, b) ||
	    !port_parse(sport, &aport) || !port_parse(dport, &bport))
		return false;
	if (family == AF_INET) {
		set_v4(&px->client, a, aport);
		set_v4(&px->server, b, bport);
	} else {
		set_v6(&px->client, a, aport);
		set_v6(&px->server, b, bport);
	}
	return true;
}

static enum proxy_verdict
v1(struct slice in, struct proxy *px)
{
	size_t		 max = in.len < PROXY_V1_MAX ? in.len : PROXY_V1_MAX;
	const char	*lf = memchr(in.p, '\n', max);
	struct slice	 line, word;

	if (lf == NULL)
		return in.len < PROXY_V1_MAX ? PROXY_MORE : PROXY_BAD;
	px->len = (size_t)(lf - in.p) + 1;
	if (px->len < 8 || lf[-1] != '\r')
		return PROXY_BAD;
	line = SLICE(in.p + 6, px->len - 8);
	if (memchr(line.p, '\r', line.len) != NULL)
		return PROXY_BAD;
	word = next_field(&line);
	if (slice_is(word, "UNKNOWN"))
		return PROXY_DONE;
	if (slice_is(word, "TCP4"))
		return v1_addresses(line, AF_INET, px) ? PROXY_DONE :
		    PROXY_BAD;
	if (slice_is(word, "TCP6"))
		return v1_addresses(line, AF_INET6, px) ? PROXY_DONE :
		    PROXY_BAD;
	return PROXY_BAD;
}

/* --- version 2 --- */

static unsigned int
get16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

/* The checksum of the header with its own four octets (at sum) as zero. */
static bool
checksum_good(const uint8_t *header, size_t len, const uint8_t *sum)
{
	static const uint8_t	 zero[4];
	size_t			 before = (size_t)(sum - header);
	uint32_t		 crc, want;

	crc = crc32c(0, header, before);
	crc = crc32c(crc, zero, sizeof(zero));
	crc = crc32c(crc, sum + 4, len - before - 4);
	want = (uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 |
	    (uint32_t)sum[2] << 8 | sum[3];
	return crc == want;
}

/* The values from off on: whole, and the checksum right if there is one. */
static bool
v2_values(const uint8_t *h, size_t len, size_t off)
{
	size_t	n;

	while (off < len) {
		if (len - off < 3)
			return false;
		n = get16(h + off + 1);
		if (n > len - off - 3)
			return false;
		if (h[off] == TLV_CRC32C && (n != 4 ||
		    !checksum_good(h, len, h + off + 3)))
			return false;
		off += 3 + n;
	}
	return true;
}

/* The block of addresses; its length, or 0: it is too short. */
static size_t
v2_addresses(const uint8_t *h, size_t len, struct proxy *px)
{
	const uint8_t	*a = h + V2_HEAD;

	switch (h[13]) {
	case 0x11:		/* TCP over IPv4 */
		if (len < V2_HEAD + 12)
			return 0;
		set_v4(&px->client, a, (uint16_t)get16(a + 8));
		set_v4(&px->server, a + 4, (uint16_t)get16(a + 10));
		return V2_HEAD + 12;
	case 0x21:		/* TCP over IPv6 */
		if (len < V2_HEAD + 36)
			return 0;
		set_v6(&px->client, a, (uint16_t)get16(a + 32));
		set_v6(&px->server, a + 16, (uint16_t)get16(a + 34));
		return V2_HEAD + 36;
	case 0x00:		/* unspecified: nothing but values */
		return V2_HEAD;
	default:		/* neither datagrams nor Unix sockets here */
		return 0;
	}
}

static enum proxy_verdict
v2(struct slice in, struct proxy *px)
{
	const uint8_t	*h = (const uint8_t *)in.p;
	size_t		 off;

	if (in.len > 12 && h[12] != 0x20 && h[12] != 0x21)
		return PROXY_BAD;	/* version 2, LOCAL or PROXY */
	if (in.len < V2_HEAD)
		return PROXY_MORE;
	px->len = V2_HEAD + get16(h + 14);
	if (px->len > PROXY_HEADER_MAX)
		return PROXY_BAD;
	if (in.len < px->len)
		return PROXY_MORE;
	if (h[12] == 0x20)
		return PROXY_DONE;	/* whatever its block holds */
	off = v2_addresses(h, px->len, px);
	return off != 0 && v2_values(h, px->len, off) ? PROXY_DONE : PROXY_BAD;
}

enum proxy_verdict
proxy_parse(struct slice in, unsigned int versions, struct proxy *px)
{
	size_t	n;

	memset(px, 0, sizeof(*px));
	px->client.ss_family = px->server.ss_family = AF_UNSPEC;
	if (in.len == 0)
		return PROXY_MORE;
	if ((versions & PROXY_V1) && in.p[0] == 'P') {
		n = in.len < 6 ? in.len : 6;
		if (memcmp(in.p, "PROXY ", n) != 0)
			return PROXY_BAD;
		return n < 6 ? PROXY_MORE : v1(in, px);
	}
	if (!(versions & PROXY_V2))
		return PROXY_BAD;
	n = in.len < sizeof(signature) ? in.len : sizeof(signature);
	if (memcmp(in.p, signature, n) != 0)
		return PROXY_BAD;
	return n < sizeof(signature) ? PROXY_MORE : v2(in, px);
}
