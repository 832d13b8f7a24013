/* links: msad/resolver/hosts.c msad/resolver/dns.c */
/*
 * What the resolver reads: the first octet says whether the rest is a hosts
 * file, a resolv.conf, a DNS message or a host name.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "msad/resolver/dns.h"
#include "msad/resolver/hosts.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
fuzz_hosts(const char *p, size_t len)
{
	const char	*addr[HOSTS_ANSWER_MAX];
	struct hosts	*h;

	if ((h = hosts_parse(p, len)) == NULL)
		abort();
	if (hosts_find(h, "a", 0, addr, HOSTS_ANSWER_MAX) > HOSTS_ANSWER_MAX)
		abort();
	hosts_find(h, "localhost", 6, addr, 1);
	hosts_free(h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_answer	 a;
	char			 servers[RESOLV_MAX][64], name[64];
	const char		*p = (const char *)data + 1;

	if (size < 1)
		return 0;
	size--;
	switch (data[0] % 4) {
	case 0:
		fuzz_hosts(p, size);
		break;
	case 1:
		if (resolv_parse(p, size, servers) > RESOLV_MAX)
			abort();
		break;
	case 2:
		if (dns_addresses(data + 1, size, DNS_TYPE_A, &a) == 0 &&
		    a.n > 64)
			abort();
		dns_addresses(data + 1, size, DNS_TYPE_AAAA, &a);
		break;
	default:
		if (host_name(p, size, name, sizeof(name)) == 0 &&
		    strlen(name) != size - (p[size - 1] == '.'))
			abort();
	}
	return 0;
}
