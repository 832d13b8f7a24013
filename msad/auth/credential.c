/*
 * A secret of a passwd file and what it is good for: life and checks of struct
 * credential. Runs in msad-auth; pure.
 */

#include <sys/types.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>

#include "msad/auth/credential.h"
#include "msad/auth/scram.h"

struct credential *
credential_ref(struct credential *c)
{
	c->refs++;
	return c;
}

static void
list_free(char **list, size_t n)
{
	size_t	 i;

	for (i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void
credential_release(struct credential *c)
{
	if (c == NULL || --c->refs > 0)
		return;
	if (c->crypt != NULL)
		freezero(c->crypt, strlen(c->crypt));
	if (c->sha256 != NULL)
		freezero(c->sha256, sizeof(*c->sha256));
	if (c->sha1 != NULL)
		freezero(c->sha1, sizeof(*c->sha1));
	list_free(c->senders, c->nsenders);
	list_free(c->rcpt_domains, c->nrcpt_domains);
	free(c->networks);
	free(c->user);
	free(c->label);
	free(c);
}

/*
 * The client's numeric address. A scope counts for nothing: getaddrinfo() would
 * ask the kernel for the interface, and there is no socket to ask with.
 */
static bool
client_address(struct slice client, struct sockaddr_storage *ss)
{
	struct sockaddr_in	*in = (void *)ss;
	struct sockaddr_in6	*in6 = (void *)ss;
	char			 text[INET6_ADDRSTRLEN];
	size_t			 n;

	for (n = 0; n < client.len && client.p[n] != '%'; n++) {
		if (n == sizeof(text) - 1)
			return false;
		text[n] = client.p[n];
	}
	text[n] = '\0';
	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
		ss->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
		ss->ss_family = AF_INET6;
	return ss->ss_family != AF_UNSPEC;
}

static bool
network_fits(const struct credential *c, struct slice client)
{
	struct sockaddr_storage	 ss;
	size_t			 i;

	if (!client_address(client, &ss))
		return false;
	for (i = 0; i < c->nnetworks; i++)
		if (network_has(&c->networks[i], (struct sockaddr *)&ss))
			return true;
	return false;
}

bool
credential_takes(const struct credential *c, unsigned int mech)
{
	return c->mechs == 0 || (c->mechs & mech) != 0;
}

bool
credential_fits(const struct credential *c, struct slice client, uint64_t now,
    const char **reason)
{
	*reason = "the password has expired";
	if (c->expires != 0 && now >= c->expires)
		return false;
	*reason = "the password may not be used from this network";
	if (c->nnetworks > 0 && !network_fits(c, client))
		return false;
	*reason = NULL;
	return true;
}
