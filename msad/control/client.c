/*
 * Connections to the control socket: accepting, lines in, lines out.
 *
 * Runs in msad-control, driven by its loop. Callers are local and let in by
 * the socket's mode and by peers.c, but what they write is not trusted: lines
 * are bounded, one question at a time is answered, and the next is not read
 * before. A caller that does not read makes nothing grow: pages of the queue
 * are asked for when it has read the last one, and after a time it is dropped.
 *
 * An answer is any number of lines, each a JSON object, and a last one with
 * "end": true, "status" (msactl's exit code) and, if it is not 0, "error".
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <event2/buffer.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/child.h"
#include "common/log.h"
#include "common/stats.h"
#include "msad/control/answer.h"
#include "msad/control/client.h"

#define IDLE_SECONDS	60	/* without a request */
#define STUCK_SECONDS	30	/* without reading what we have for it */
#define ACCEPT_PAUSE	1	/* seconds, when descriptors are out */
#define ACCEPT_BATCH	16
#define PIECES_MAX	64	/* of a line in the buffer */
#define REQUEST_SHOWN_MAX 300	/* octets of a selection in the log */

struct client_list	 clients = TAILQ_HEAD_INITIALIZER(clients);

static unsigned int	 nclients;
static int		 listen_fd = -1;
static struct event	*listen_event;
static struct event	*pause_event;

static void	 client_input(struct client *);
static void	 client_log(const struct client *, int, uint64_t);

static void
client_free(struct client *c)
{
	TAILQ_REMOVE(&clients, c, entry);
	nclients--;
	/* Who goes away half-way has had a part of the answer. */
	if (c->asking)
		client_log(c, 1, c->question.matched);
	question_clear(&c->question);
	event_free(c->timer);
	bufferevent_free(c->bev);
	free(c);
}

struct client *
client_asking(uint64_t sid)
{
	struct client	*c;

	TAILQ_FOREACH(c, &clients, entry)
		if (c->asking && !c->dead && c->question.sid == sid)
			return c;
	return NULL;
}

bool
client_drained(const struct client *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev)) <=
	    CLIENT_OUT_LOW;
}

bool
client_gone(const struct client *c)
{
	struct pollfd	 pfd = { bufferevent_getfd(c->bev), 0, 0 };

	return c->dead || (poll(&pfd, 1, 0) == 1 &&
	    (pfd.revents & (POLLHUP | POLLERR)) != 0);
}

void
client_patience(struct client *c, unsigned int seconds)
{
	const struct timeval	 tv = { (time_t)seconds, 0 };

	evtimer_add(c->timer, &tv);
}

/* Free it from the loop, where nobody holds on to it. */
static void
client_drop(struct client *c, const char *why)
{
	if (c->dead)
		return;
	log_notice("event=control-drop uid=%u reason=%s",
	    (unsigned int)c->peer.uid, log_q(why));
	c->dead = true;
	bufferevent_disable(c->bev, EV_READ | EV_WRITE);
	event_active(c->timer, EV_TIMEOUT, 0);
}

/* Close once all is written; read nothing more. */
static void
client_close(struct client *c)
{
	c->closing = true;
	bufferevent_disable(c->bev, EV_READ);
	bufferevent_setwatermark(c->bev, EV_WRITE, 0, 0);
}

static int
add_text(const char *text, size_t len, void *arg)
{
	return evbuffer_add(arg, text, len);
}

void
client_line(struct client *c, json_t *value)
{
	struct evbuffer	*out = bufferevent_get_output(c->bev);

	if (c->dead) {
		json_decref(value);
		return;
	}
	if (value == NULL ||
	    json_dump_callback(value, add_text, out, JSON_COMPACT) == -1 ||
	    evbuffer_add(out, "\n", 1) == -1)
		client_drop(c, "out of memory");
	else if (evbuffer_get_length(out) > CLIENT_OUT_MAX)
		client_drop(c, "it does not read");
	json_decref(value);
}

/* Does it only look? Who reads users' mail is worth a line, though. */
static bool
is_look(const struct request *req)
{
	switch (req->cmd) {
	case REQUEST_STATUS:
	case REQUEST_STATS:
	case REQUEST_QUEUE_LIST:
	case REQUEST_QUEUE_AGE:
	case REQUEST_QUEUE_SUMMARY:
	case REQUEST_QUEUE_SHOW:
	case REQUEST_QUEUE_LOG:
	case REQUEST_RULE_LIST:
	case REQUEST_PAUSES:
	case REQUEST_USERS:
	case REQUEST_BANS:
	case REQUEST_GRANTS:
	case REQUEST_TEST_SESSION:
	case REQUEST_LIMITS:
	case REQUEST_USER_LIMITS:
		return true;
	default:
		return req->count;
	}
}

/* What a request was about, in keys of the log. */
static void
put_detail(const struct request *req, char *buf, size_t size)
{
	char	 select[REQUEST_SHOWN_MAX], *p;
	size_t	 n = 0;

	buf[0] = '\0';
	if (req->select[0] != '\0') {
		strlcpy(select, req->select, sizeof(select));
		for (p = select; *p != '\0'; p++)
			if (*p == '\n')
				*p = ',';
		n += (size_t)snprintf(buf + n, size - n, " select=%s",
		    log_q(select));
	}
	if (req->cmd == REQUEST_QUEUE_REROUTE)
		n += (size_t)snprintf(buf + n, size - n, " relay=%s",
		    log_q(req->to));
	if (req->reason[0] != '\0' && n < size)
		snprintf(buf + n, size - n, " reason=%s", log_q(req->reason));
}

/* What changed something is worth a line of the log. */
static void
client_log(const struct client *c, int status, uint64_t matched)
{
	const struct request	*req = &c->question.req;
	int			 level = is_look(req) ? LOG_DEBUG : LOG_INFO;
	char			 q[32] = "", detail[2048];

	if (req->id != 0)
		snprintf(q, sizeof(q), " q=%llx", (unsigned long long)req->id);
	put_detail(req, detail, sizeof(detail));
	log_msg(level, "event=control-request%s uid=%u command=%s all=%d%s "
	    "status=%d matched=%llu", q, (unsigned int)c->peer.uid,
	    log_q(request_name(req->cmd)), req->all, detail, status,
	    (unsigned long long)matched);
}

void
client_end(struct client *c, int status, const char *reason, json_t *extra)
{
	json_t	*end;

	end = json_pack("{sbsi}", "end", 1, "status", status);
	if (end != NULL && *reason != '\0')
		json_object_set_new(end, "error",
		    answer_text(SLICE_STR(reason)));
	if (end != NULL && extra != NULL)
		json_object_update(end, extra);
	json_decref(extra);
	client_line(c, end);
	if (!c->asking)
		return;
	client_log(c, status, c->question.matched);
	question_clear(&c->question);
	c->asking = false;
	if (c->dead)
		return;
	evtimer_del(c->timer);
	if (c->closing)
		return;
	/* What it sent meanwhile: from the loop, we may be deep in calls. */
	bufferevent_enable(c->bev, EV_READ);
	bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS |
	    BEV_TRIG_DEFER_CALLBACKS);
}

/* --- requests --- */

static void
client_request(struct client *c, const char *line, size_t len)
{
	const char	*reason;

	stats_inc(STAT_CONTROL_REQUESTS);
	if (!c->allowed) {
		stats_inc(STAT_CONTROL_DENIED);
		log_notice("event=control-denied uid=%u",
		    (unsigned int)c->peer.uid);
		client_end(c, 4, "root alone may use this socket: the "
		    "configuration names no group", NULL);
		client_close(c);
		return;
	}
	if (request_parse(&c->question.req, line, len, &reason) == -1) {
		client_end(c, 1, reason, NULL);
		client_close(c);
		return;
	}
	c->asking = true;
	bufferevent_disable(c->bev, EV_READ);
	question_begin(c);
}

/*
 * The next line, malloc'd, without its line feed; NULL: none yet. It may hold a
 * password: nothing of it stays in the buffer.
 */
static char *
line_take(struct evbuffer *in, size_t *len)
{
	struct evbuffer_iovec	 v[PIECES_MAX];
	struct evbuffer_ptr	 end;
	char			*line;
	size_t			 left;
	int			 i, n;

	end = evbuffer_search_eol(in, NULL, NULL, EVBUFFER_EOL_LF);
	if (end.pos == -1)
		return NULL;
	*len = (size_t)end.pos;
	if ((line = malloc(*len + 1)) == NULL)
		fatal("event=control error=\"out of memory\"");
	evbuffer_copyout(in, line, *len);
	line[*len] = '\0';
	n = evbuffer_peek(in, end.pos, NULL, v, PIECES_MAX);
	for (i = 0, left = *len; i < n && i < PIECES_MAX && left > 0; i++) {
		if (v[i].iov_len > left)
			v[i].iov_len = left;
		explicit_bzero(v[i].iov_base, v[i].iov_len);
		left -= v[i].iov_len;
	}
	evbuffer_drain(in, *len + 1);
	return line;
}

static void
client_input(struct client *c)
{
	struct evbuffer	*in = bufferevent_get_input(c->bev);
	size_t		 len;
	char		*line;

	while (!c->asking && !c->closing && !c->dead && client_drained(c)) {
		if ((line = line_take(in, &len)) != NULL) {
			client_request(c, line, len);
			freezero(line, len);
			continue;
		}
		if (evbuffer_get_length(in) > REQUEST_MAX) {
			client_end(c, 1, "the request is too long", NULL);
			client_close(c);
		}
		return;
	}
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	client_input(arg);
}

/* The output is down to its low mark. */
static void
on_write(struct bufferevent *bev, void *arg)
{
	struct client	*c = arg;

	if (c->dead)
		return;
	if (c->closing && !c->asking) {
		if (evbuffer_get_length(bufferevent_get_output(bev)) == 0)
			client_free(c);
		return;
	}
	if (c->asking)
		question_resume(c);
	else
		client_input(c);
}

/* The connection is over, for one side at least, or a time is. */
static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct client	*c = arg;
	bool		 owed;

	if (c->dead)
		return;
	/* Deferred callbacks may tell of both directions in one call. */
	if (what & BEV_EVENT_ERROR || what & BEV_EVENT_WRITING) {
		if (what & BEV_EVENT_TIMEOUT)
			log_notice("event=control-drop uid=%u reason=%s",
			    (unsigned int)c->peer.uid,
			    log_q("it does not read"));
		client_free(c);
		return;
	}
	owed = c->asking ||
	    evbuffer_get_length(bufferevent_get_output(bev)) > 0;
	if (what & BEV_EVENT_TIMEOUT && owed) {
		/* It reads what it asked for: not idle. */
		if (!c->asking)
			bufferevent_enable(bev, EV_READ);
		return;
	}
	if (what & BEV_EVENT_EOF && owed) {
		/* It shut down its side and may still read. */
		client_close(c);
		return;
	}
	client_free(c);
}

static void
on_timer(int fd, short what, void *arg)
{
	struct client	*c = arg;

	(void)fd;
	(void)what;
	if (c->dead)
		client_free(c);
	else if (c->asking)
		question_timeout(c);
}

/* --- accepting --- */

/* Tell a caller that has no place here yet why; nothing waits for it. */
static void
refuse(int fd, const char *reason)
{
	char	 line[256];
	int	 n;

	n = snprintf(line, sizeof(line),
	    "{\"end\":true,\"status\":1,\"error\":\"%s\"}\n", reason);
	if (send(fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		log_debug("event=control-refuse error=%s",
		    log_q(strerror(errno)));
	close(fd);
}

static int
client_init(struct client *c, int fd)
{
	const struct timeval	 idle = { IDLE_SECONDS, 0 };
	const struct timeval	 stuck = { STUCK_SECONDS, 0 };

	if ((c->timer = evtimer_new(child_base(), on_timer, c)) == NULL)
		return -1;
	c->bev = bufferevent_socket_new(child_base(), fd,
	    BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (c->bev == NULL) {
		event_free(c->timer);
		return -1;
	}
	bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, REQUEST_MAX + 1);
	bufferevent_setwatermark(c->bev, EV_WRITE, CLIENT_OUT_LOW, 0);
	bufferevent_set_timeouts(c->bev, &idle, &stuck);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	return 0;
}

static void
client_new(int fd)
{
	struct client	*c;

	if (nclients == CLIENTS_MAX) {
		refuse(fd, "too many connections to the control socket");
		return;
	}
	if ((c = calloc(1, sizeof(*c))) == NULL ||
	    peer_get(&c->peer, fd) == -1 || client_init(c, fd) == -1) {
		free(c);
		refuse(fd, "local trouble, try again");
		return;
	}
	c->allowed = peer_allowed(&c->peer, child_conf());
	c->question.role = ROLE_MAX;
	TAILQ_INSERT_TAIL(&clients, c, entry);
	nclients++;
}

static void
on_pause(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (listen_event != NULL)
		event_add(listen_event, NULL);
}

static void
accept_pause(void)
{
	const struct timeval	 tv = { ACCEPT_PAUSE, 0 };

	log_warn("event=control-accept error=%s", log_q(strerror(errno)));
	event_del(listen_event);
	if (pause_event == NULL)
		pause_event = evtimer_new(child_base(), on_pause, NULL);
	if (pause_event != NULL)
		evtimer_add(pause_event, &tv);
}

static void
on_accept(int lfd, short what, void *arg)
{
	unsigned int	 i;
	int		 fd;

	(void)what;
	(void)arg;
	for (i = 0; i < ACCEPT_BATCH; i++) {
		fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd != -1) {
			client_new(fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			accept_pause();
		return;
	}
}

void
clients_unlisten(void)
{
	if (listen_event != NULL)
		event_free(listen_event);
	listen_event = NULL;
	if (listen_fd != -1)
		close(listen_fd);
	listen_fd = -1;
}

void
clients_listen(int fd)
{
	clients_unlisten();
	listen_fd = fd;
	evutil_make_socket_nonblocking(fd);
	listen_event = event_new(child_base(), fd, EV_READ | EV_PERSIST,
	    on_accept, NULL);
	if (listen_event == NULL || event_add(listen_event, NULL) == -1)
		fatal("event=start error=\"control socket\"");
}
