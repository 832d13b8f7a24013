/*
 * What "listen on" means: the addresses, what goes with them, and what must not
 * (conf_build.h). Runs where the configuration is read.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_build.h"
#include "common/log.h"

#define LISTENERS_MAX	1000

void
conf_build_listen_clear(struct conf_build *b)
{
	free(b->listen.pki);
	free(b->listen.auth);
	memset(&b->listen, 0, sizeof(b->listen));
}

void
conf_build_listen_begin(struct conf_build *b, struct conf_list *addresses)
{
	conf_build_listen_clear(b);
	b->seen = 0;
	b->addresses = addresses;
}

/* Fill in the socket address of a numeric one; false when it is none. */
static bool
address_parse(struct conf_listener *l, const char *text)
{
	struct sockaddr_in	*sin = (struct sockaddr_in *)&l->addr;
	struct sockaddr_in6	*sin6 = (struct sockaddr_in6 *)&l->addr;
	char			 buf[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET, text, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(l->port);
		l->addrlen = sizeof(*sin);
		inet_ntop(AF_INET, &sin->sin_addr, buf, sizeof(buf));
	} else if (inet_pton(AF_INET6, text, &sin6->sin6_addr) == 1) {
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(l->port);
		l->addrlen = sizeof(*sin6);
		inet_ntop(AF_INET6, &sin6->sin6_addr, buf, sizeof(buf));
	} else
		return false;
	if ((l->address = strdup(buf)) == NULL)
		err(1, "strdup");
	return true;
}

static bool
is_loopback(const struct conf_listener *l)
{
	const struct sockaddr_in	*sin = (const void *)&l->addr;
	const struct sockaddr_in6	*sin6 = (const void *)&l->addr;

	if (l->addr.ss_family == AF_INET)
		return ntohl(sin->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr);
}

static void
listener_add(struct conf_build *b, const char *address)
{
	struct conf_listener	*l, *other;

	if (b->nlisteners == LISTENERS_MAX) {
		conf_lex_error(b->lex, "more than %d addresses to listen on",
		    LISTENERS_MAX);
		return;
	}
	if ((l = calloc(1, sizeof(*l))) == NULL)
		err(1, "calloc");
	l->port = b->listen.port;
	l->tls = b->listen.tls;
	l->optional = b->listen.optional;
	l->insecure = b->listen.insecure;
	l->proxy = b->listen.proxy;
	l->grants = b->listen.grants;
	if (!address_parse(l, address)) {
		conf_lex_error(b->lex, "%s is not a numeric address",
		    log_q(address));
		free(l);
		return;
	}
	if (l->optional && !l->insecure && !is_loopback(l))
		conf_lex_error(b->lex, "starttls optional on %s: what clients "
		    "send there can be read on the way; write insecure beside "
		    "it if that is meant", l->address);
	TAILQ_FOREACH(other, &b->conf->listeners, entry) {
		if (other->port == l->port &&
		    strcmp(other->address, l->address) == 0)
			conf_lex_error(b->lex, "listen on %s port %u is given "
			    "twice", l->address, l->port);
	}
	l->index = b->nlisteners++;
	if ((l->pki = strdup(b->listen.pki)) == NULL ||
	    (l->auth = strdup(b->listen.auth)) == NULL)
		err(1, "strdup");
	TAILQ_INSERT_TAIL(&b->conf->listeners, l, entry);
}

void
conf_build_listen_end(struct conf_build *b)
{
	struct conf_list	*a;

	if (!(b->seen & OPT_PORT) || !(b->seen & OPT_TLS) ||
	    b->listen.pki == NULL || b->listen.auth == NULL) {
		conf_lex_error(b->lex, "listen needs a port, starttls or tls, "
		    "a pki and an auth");
		conf_build_listen_clear(b);
		return;
	}
	conf_build_ref_listen(b, b->listen.pki, b->listen.auth);
	for (a = b->addresses; a != NULL; a = a->next)
		listener_add(b, a->text);
	conf_build_listen_clear(b);
}

void
conf_build_local(struct conf_build *b, const char *path)
{
	conf_build_path(b, &b->conf->local, path, "listen on socket");
	if (b->conf->local != NULL && strlen(b->conf->local) >=
	    sizeof(((struct sockaddr_un *)0)->sun_path))
		conf_lex_error(b->lex, "listen on socket: the path is too long"
		    " for a socket");
}

void
conf_build_grants(struct conf_build *b, const char *word)
{
	conf_build_once(b, OPT_GRANTS, "grants");
	if (strcmp(word, "allow") != 0)
		conf_lex_error(b->lex, "unknown word %s: grants are allowed "
		    "by \"grants allow\"", log_q(word));
	b->listen.grants = true;
}
