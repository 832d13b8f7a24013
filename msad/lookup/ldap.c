/*
 * Tables that an LDAP server serves. Part of msad-lookup. One connection a
 * table carries all its questions at once; it is made when the first one comes,
 * bound with the configured name or anonymously, and made anew when it broke or
 * when a question ran out of time on it. Nothing waits: the loop calls when the
 * socket has something to read, and libldap is asked for what is complete.
 *
 * Referrals are not followed and aliases not resolved: the server that was
 * named is the only one that is asked.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <ldap.h>
#include <openldap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/log.h"

#include "filter.h"
#include "source.h"

#define FILTER_MAX	16384
#define SECONDS		(QUERY_MS / 1000)

enum state { DOWN, CONNECTING, BINDING, READY };

struct server {
	enum state		 state;
	LDAP			*ld;
	int			 fd;
	int			 bind_id;
	struct event		 event;
	struct source		*source;
	struct query_list	 waiting;	/* for the connection */
	struct query_list	 asked;
};

/* --- the connection --- */

static void
disconnect(struct server *s)
{
	if (s->state == DOWN)
		return;
	event_del(&s->event);
	if (s->ld != NULL)
		ldap_destroy(s->ld);	/* closes fd */
	else
		close(s->fd);
	s->ld = NULL;
	s->fd = -1;
	s->state = DOWN;
}

static void
unlist(struct query *q)
{
	struct server	*s = q->source->state;

	if (!q->listed)
		return;
	if (q->msgid != 0)
		TAILQ_REMOVE(&s->asked, q, of_source);
	else
		TAILQ_REMOVE(&s->waiting, q, of_source);
	q->listed = false;
}

/* It is broken: so are the questions that were on it or waited for it. */
static void
broken(struct server *s, const char *reason)
{
	struct query	*q;
	char		 text[160];

	snprintf(text, sizeof(text), "%s", reason);
	disconnect(s);
	while ((q = TAILQ_FIRST(&s->asked)) != NULL ||
	    (q = TAILQ_FIRST(&s->waiting)) != NULL) {
		unlist(q);
		query_failed(q, text);
	}
}

/* --- searches --- */

static void
search(struct server *s, struct query *q)
{
	struct timeval	 tv = { SECONDS, 0 };
	char		 filter[FILTER_MAX];
	char		*attrs[] = { s->source->attribute, NULL };
	int		 rc;

	if (filter_write(s->source->text, q->login, filter, sizeof(filter)) ==
	    -1) {
		query_unfit(q, "the filter is too long");
		return;
	}
	rc = ldap_search_ext(s->ld, s->source->base, LDAP_SCOPE_SUBTREE,
	    filter, attrs, 0, NULL, NULL, &tv, LOOKUP_VALUES_MAX, &q->msgid);
	if (rc != LDAP_SUCCESS) {
		q->msgid = 0;
		query_failed(q, ldap_err2string(rc));
		return;
	}
	q->listed = true;
	TAILQ_INSERT_TAIL(&s->asked, q, of_source);
}

static void
search_waiting(struct server *s)
{
	struct query	*q;

	while (s->state == READY && (q = TAILQ_FIRST(&s->waiting)) != NULL) {
		unlist(q);
		search(s, q);
	}
}

static struct query *
query_of(struct server *s, int msgid)
{
	struct query	*q;

	TAILQ_FOREACH(q, &s->asked, of_source)
		if (q->msgid == msgid)
			return q;
	return NULL;
}

/* An entry's values. The query may be gone afterwards. */
static void
take_entry(struct server *s, struct query *q, LDAPMessage *m)
{
	struct berval	**v;
	int		  i, ret = 0;

	if ((v = ldap_get_values_len(s->ld, m, s->source->attribute)) == NULL)
		return;
	unlist(q);	/* it may fail within query_add() */
	for (i = 0; v[i] != NULL && ret == 0; i++)
		ret = query_add(q, SLICE(v[i]->bv_val, v[i]->bv_len));
	ldap_value_free_len(v);
	if (ret == -1)
		return;
	q->listed = true;
	TAILQ_INSERT_TAIL(&s->asked, q, of_source);
}

static void
take_result(struct server *s, struct query *q, LDAPMessage *m)
{
	int	rc, code = LDAP_OTHER;

	unlist(q);
	rc = ldap_parse_result(s->ld, m, &code, NULL, NULL, NULL, NULL, 0);
	if (rc == LDAP_SUCCESS && (code == LDAP_SUCCESS ||
	    code == LDAP_NO_SUCH_OBJECT))
		query_done(q);
	else if (rc == LDAP_SUCCESS && code == LDAP_SIZELIMIT_EXCEEDED)
		query_unfit(q, "more entries than an answer holds");
	else
		query_failed(q, ldap_err2string(rc != LDAP_SUCCESS ? rc :
		    code));
}

static void
take_message(struct server *s, LDAPMessage *m)
{
	struct query	*q;
	int		 type = ldap_msgtype(m), code = LDAP_OTHER, rc;

	if (s->state == BINDING && ldap_msgid(m) == s->bind_id) {
		rc = ldap_parse_result(s->ld, m, &code, NULL, NULL, NULL, NULL,
		    0);
		if (rc != LDAP_SUCCESS || code != LDAP_SUCCESS) {
			broken(s, ldap_err2string(rc != LDAP_SUCCESS ? rc :
			    code));
			return;
		}
		s->state = READY;
		search_waiting(s);
	} else if ((q = query_of(s, ldap_msgid(m))) == NULL)
		return;		/* abandoned */
	else if (type == LDAP_RES_SEARCH_ENTRY)
		take_entry(s, q, m);
	else if (type == LDAP_RES_SEARCH_RESULT)
		take_result(s, q, m);
}

static void
on_readable(int fd, short what, void *arg)
{
	struct server	*s = arg;
	struct timeval	 none = { 0, 0 };
	LDAPMessage	*m;
	int		 rc = 0;

	(void)fd;
	(void)what;
	while (s->state != DOWN && (rc = ldap_result(s->ld, LDAP_RES_ANY,
	    LDAP_MSG_ONE, &none, &m)) > 0) {
		take_message(s, m);
		ldap_msgfree(m);
	}
	if (rc == -1 && s->state != DOWN)
		broken(s, "the connection to the server is lost");
}

/* --- making it --- */

/* An anonymous one needs no bind. */
static void
bind_server(struct server *s)
{
	struct source	*src = s->source;
	struct berval	 cred;
	int		 rc;

	if (src->bind_dn == NULL) {
		s->state = READY;
		search_waiting(s);
		return;
	}
	cred.bv_val = src->password;
	cred.bv_len = strlen(src->password);
	rc = ldap_sasl_bind(s->ld, src->bind_dn, LDAP_SASL_SIMPLE, &cred, NULL,
	    NULL, &s->bind_id);
	if (rc != LDAP_SUCCESS)
		broken(s, ldap_err2string(rc));
	else
		s->state = BINDING;
}

static int
set_options(LDAP *ld)
{
	const int	version = LDAP_VERSION3, deref = LDAP_DEREF_NEVER;

	return ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) ==
	    LDAP_OPT_SUCCESS &&
	    ldap_set_option(ld, LDAP_OPT_DEREF, &deref) == LDAP_OPT_SUCCESS &&
	    ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) ==
	    LDAP_OPT_SUCCESS ? 0 : -1;
}

static void
on_connected(int fd, short what, void *arg)
{
	struct server	*s = arg;
	socklen_t	 len = sizeof(int);
	int		 error = 0;

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0) {
		broken(s, strerror(error));
		return;
	}
	if (ldap_init_fd(fd, LDAP_PROTO_TCP, NULL, &s->ld) != LDAP_SUCCESS ||
	    set_options(s->ld) == -1) {
		broken(s, "the library cannot use the connection");
		return;
	}
	event_del(&s->event);
	event_assign(&s->event, child_base(), fd, EV_READ | EV_PERSIST,
	    on_readable, s);
	event_add(&s->event, NULL);
	bind_server(s);
}

/* 0, or errno. */
static int
connect_server(struct server *s)
{
	struct source	*src = s->source;
	int		 fd, on = 1;

	fd = socket(src->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	if (fd == -1)
		return errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&src->addr, src->addrlen) == -1 &&
	    errno != EINPROGRESS) {
		on = errno;
		close(fd);
		return on;
	}
	s->fd = fd;
	s->state = CONNECTING;
	event_assign(&s->event, child_base(), fd, EV_WRITE, on_connected, s);
	event_add(&s->event, NULL);
	return 0;
}

/* --- the backend --- */

static int
directory_open(struct source *src, char *reason, size_t size)
{
	struct server	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL) {
		snprintf(reason, size, "out of memory");
		return -1;
	}
	s->fd = -1;
	s->source = src;
	TAILQ_INIT(&s->waiting);
	TAILQ_INIT(&s->asked);
	src->state = s;
	return 0;
}

static void
directory_close(struct source *src)
{
	disconnect(src->state);
	free(src->state);
	src->state = NULL;
}

static void
directory_start(struct query *q)
{
	struct server	*s = q->source->state;
	int		 error;

	if (s->state == READY) {
		search(s, q);
		return;
	}
	if (s->state == DOWN && (error = connect_server(s)) != 0) {
		query_failed(q, strerror(error));
		return;
	}
	q->listed = true;
	TAILQ_INSERT_TAIL(&s->waiting, q, of_source);
}

/*
 * Its time is over. A server that does not answer gets a new connection; what
 * else is on this one has its own time, and is asked anew there.
 */
static void
directory_cancel(struct query *q, bool late)
{
	struct server	*s = q->source->state;
	struct query	*other;

	unlist(q);
	if (!late)
		return;
	disconnect(s);
	while ((other = TAILQ_FIRST(&s->asked)) != NULL) {
		unlist(other);
		other->msgid = 0;
		while (other->n > 0)
			free(other->values[--other->n]);
		other->octets = 0;
		other->listed = true;
		TAILQ_INSERT_TAIL(&s->waiting, other, of_source);
	}
	if (!TAILQ_EMPTY(&s->waiting) && connect_server(s) != 0)
		broken(s, "no connection to the server");
}

const struct backend ldap_backend = {
	directory_open, directory_close, directory_start, directory_cancel
};
