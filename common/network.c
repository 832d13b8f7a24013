/*
 * IP networks: of the configuration (who may speak PROXY, who is barred) and
 * those that connections are counted by. Used by the grammar and by the
 * front-end; pure.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/network.h"

static unsigned int
bits_of(int family)
{
	return family == AF_INET ? 32 : 128;
}

/* Set the bits behind the prefix to 0. */
static void
cut(struct network *n)
{
	unsigned int	i;

	for (i = 0; i < sizeof(n->addr); i++) {
		if (i * 8 >= n->prefix)
			n->addr[i] = 0;
		else if (n->prefix - i * 8 < 8)
			n->addr[i] &= (uint8_t)(0xff << (8 - (n->prefix -
			    i * 8)));
	}
}

static bool
prefix_parse(const char *text, unsigned int max, unsigned int *prefix)
{
	const char	*why;

	if (*text < '0' || *text > '9')
		return false;
	*prefix = (unsigned int)strtonum(text, 0, max, &why);
	return why == NULL;
}

bool
network_parse(const char *text, struct network *n)
{
	struct network	 whole;
	const char	*slash = strchr(text, '/');
	size_t		 len = slash == NULL ? strlen(text) :
			    (size_t)(slash - text);
	char		 host[INET6_ADDRSTRLEN];

	memset(n, 0, sizeof(*n));
	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, n->addr) == 1)
		n->family = AF_INET;
	else if (inet_pton(AF_INET6, host, n->addr) == 1)
		n->family = AF_INET6;
	else
		return false;
	n->prefix = bits_of(n->family);
	if (slash != NULL && !prefix_parse(slash + 1, n->prefix, &n->prefix))
		return false;
	whole = *n;
	cut(n);
	return memcmp(whole.addr, n->addr, sizeof(n->addr)) == 0;
}

const char *
network_print(const struct network *n, char *buf, size_t size)
{
	char	host[INET6_ADDRSTRLEN];

	if (inet_ntop(n->family, n->addr, host, sizeof(host)) == NULL)
		return "";
	snprintf(buf, size, "%s/%u", host, n->prefix);
	return buf;
}

bool
network_of(const struct sockaddr *sa, unsigned int prefix4,
    unsigned int prefix6, struct network *n)
{
	const struct sockaddr_in	*in = (const void *)sa;
	const struct sockaddr_in6	*in6 = (const void *)sa;

	memset(n, 0, sizeof(*n));
	if (sa->sa_family == AF_INET) {
		n->family = AF_INET;
		memcpy(n->addr, &in->sin_addr, 4);
	} else if (sa->sa_family != AF_INET6)
		return false;
	else if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		n->family = AF_INET;
		memcpy(n->addr, in6->sin6_addr.s6_addr + 12, 4);
	} else {
		n->family = AF_INET6;
		memcpy(n->addr, &in6->sin6_addr, 16);
	}
	n->prefix = n->family == AF_INET ? prefix4 : prefix6;
	if (n->prefix > bits_of(n->family))
		n->prefix = bits_of(n->family);
	cut(n);
	return true;
}

bool
network_has(const struct network *n, const struct sockaddr *sa)
{
	struct network	of;

	return network_of(sa, n->prefix, n->prefix, &of) &&
	    of.family == n->family && of.prefix == n->prefix &&
	    memcmp(of.addr, n->addr, sizeof(n->addr)) == 0;
}
