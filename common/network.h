#ifndef COMMON_NETWORK_H
#define COMMON_NETWORK_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An IP network: the first prefix bits of addr count, the others are 0. */
struct network {
	int		 family;	/* AF_INET or AF_INET6 */
	unsigned int	 prefix;
	uint8_t		 addr[16];
};

#define NETWORK_TEXT_MAX	64

/*
 * "192.0.2.0/24", "2001:db8::/32", or an address alone. False: it is none, or
 * has bits behind the prefix.
 */
bool	 network_parse(const char *, struct network *);
/* The same text again, always with its prefix. */
const char *network_print(const struct network *, char *, size_t);
/*
 * The network of prefix bits that an address is in; one of IPv4 that is
 * written in IPv6 (RFC 4291 section 2.5.5.2) counts as IPv4. The prefix is
 * cut to the bits there are. False: no IP address.
 */
bool	 network_of(const struct sockaddr *, unsigned int prefix4,
    unsigned int prefix6, struct network *);
/* Is the address in the network? */
bool	 network_has(const struct network *, const struct sockaddr *);

#endif
