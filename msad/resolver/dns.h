#ifndef RESOLVER_DNS_H
#define RESOLVER_DNS_H

#include <stddef.h>
#include <stdint.h>

#define DNS_TYPE_A	1
#define DNS_TYPE_AAAA	28
#define DNS_RCODE_NXDOMAIN 3
#define DNS_TTL_MAX	86400

struct dns_answer {
	unsigned int	 rcode;
	uint32_t	 ttl;		/* the smallest of the addresses' */
	size_t		 n;
	struct {
		uint8_t	 len;		/* 4 or 16 */
		uint8_t	 octets[16];
	} addr[64];
};

/*
 * The addresses of type in the answer section of a DNS message (RFC 1035
 * section 4). 0, or -1 when it is malformed; more than 64 are passed over.
 */
int	 dns_addresses(const uint8_t *packet, size_t len, unsigned int type,
	    struct dns_answer *);

#endif
