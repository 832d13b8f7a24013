/*
 * Addresses out of a DNS message, in msad-resolver.
 *
 * libunbound has followed the aliases, checked what belongs to the answer,
 * and gives the message as it goes over the wire; resolver.c calls this on
 * it. Names are passed over without following compression pointers, so that
 * nothing can loop; every length is checked.
 */

#include <string.h>

#include "msad/resolver/dns.h"

struct cursor {
	const uint8_t	*p;
	size_t		 left;
};

static int
skip(struct cursor *c, size_t n)
{
	if (c->left < n)
		return -1;
	c->p += n;
	c->left -= n;
	return 0;
}

/* Pass over a name: labels up to the root label or a pointer. */
static int
skip_name(struct cursor *c)
{
	uint8_t	 n;

	for (;;) {
		if (c->left < 1)
			return -1;
		n = c->p[0];
		if (n == 0)
			return skip(c, 1);
		if ((n & 0xc0) == 0xc0)
			return skip(c, 2);
		if ((n & 0xc0) != 0 || skip(c, (size_t)n + 1) == -1)
			return -1;
	}
}

static unsigned int
u16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

static int
record(struct cursor *c, unsigned int type, struct dns_answer *a)
{
	const uint8_t	*h;
	uint32_t	 ttl;
	size_t		 want = type == DNS_TYPE_A ? 4 : 16, rdlen;

	if (skip_name(c) == -1)
		return -1;
	h = c->p;
	if (skip(c, 10) == -1)
		return -1;
	rdlen = u16(h + 8);
	ttl = (uint32_t)u16(h + 4) << 16 | u16(h + 6);
	h = skip(c, rdlen) == -1 ? NULL : h;
	if (h == NULL)
		return -1;
	if (u16(h) != type || u16(h + 2) != 1)	/* class IN */
		return 0;
	if (rdlen != want)
		return -1;
	if (a->n == sizeof(a->addr) / sizeof(a->addr[0]))
		return 0;
	if (ttl < a->ttl)
		a->ttl = ttl;
	a->addr[a->n].len = (uint8_t)want;
	memcpy(a->addr[a->n++].octets, h + 10, want);
	return 0;
}

int
dns_addresses(const uint8_t *packet, size_t len, unsigned int type,
    struct dns_answer *a)
{
	struct cursor	 c = { packet, len };
	unsigned int	 questions, answers;

	memset(a, 0, sizeof(*a));
	a->ttl = DNS_TTL_MAX;
	if (skip(&c, 12) == -1)
		return -1;
	a->rcode = packet[3] & 0x0f;
	questions = u16(packet + 4);
	answers = u16(packet + 6);
	for (; questions > 0; questions--)
		if (skip_name(&c) == -1 || skip(&c, 4) == -1)
			return -1;
	for (; answers > 0; answers--)
		if (record(&c, type, a) == -1)
			return -1;
	return 0;
}
