/*
 * The house that tests of msad-control live in: its loop and its channels, with
 * the test behind them, and a caller on a real socket.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/child.h"
#include "common/log.h"
#include "msad/control/client.h"
#include "msad/control/question.h"
#include "regress/unit/control_house.h"
#include "regress/unit/control_side.h"

/* What control.c and child.c are in the program. */
struct event_base	*base;
struct ipc		*parent_ch, *queue_ch, *auth_ch;
struct conf		 conf;

/* The other ends. */
struct ipc		*msad, *queue, *auth;

/* The caller. */
char			 path[64];
int			 sock = -1;
char			 in[4 * 1024 * 1024];
size_t			 in_len;

struct event_base *
child_base(void)
{
	return base;
}

struct ipc *
child_parent(void)
{
	return parent_ch;
}

struct conf *
child_conf(void)
{
	return &conf;
}

static const struct ipc_handler	 control_parent[] = {
	{ IPC_CTL_PROCESS, question_process },
	{ IPC_CTL_PARENT_END, question_parent_end },
	{ 0, NULL }
};

static void
on_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)arg;
	(void)ch;
	/* a jump out of the loop would leave it running */
	print_error("a channel ended: %d\n", (int)end);
	_exit(1);
}

/* --- the caller --- */

static void
on_sock(int fd, short what, void *arg)
{
	ssize_t	 n;
	bool	*over = arg;

	(void)what;
	n = recv(fd, in + in_len, sizeof(in) - 1 - in_len, MSG_DONTWAIT);
	if (n <= 0)
		*over = true;
	else
		in_len += (size_t)n;
	in[in_len] = '\0';
}

void
call(void)
{
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };

	strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	sock = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(sock, (struct sockaddr *)&sun, sizeof(sun)),
	    0);
	in[in_len = 0] = '\0';
}

void
say(const char *s)
{
	assert_int_equal(send(sock, s, strlen(s), MSG_NOSIGNAL), strlen(s));
}

bool
hear(unsigned int n)
{
	struct event	*ev, *late;
	struct timeval	 tv = { 10, 0 };
	bool		 over = false;
	unsigned int	 ends = 0;
	const char	*p;

	ev = event_new(base, sock, EV_READ | EV_PERSIST, on_sock, &over);
	late = evtimer_new(base, on_sock, &over);
	event_add(ev, NULL);
	evtimer_add(late, &tv);
	while (!over && ends < n) {
		event_base_loop(base, EVLOOP_ONCE);
		for (ends = 0, p = in; (p = strstr(p, "{\"end\":true")) != NULL;
		    p++)
			if (strchr(p, '\n') != NULL)
				ends++;
	}
	event_free(ev);
	event_free(late);
	return !over;
}

void
ask(const char *request)
{
	in[in_len = 0] = '\0';
	say(request);
	assert_true(hear(1));
}

void
hear_close(void)
{
	assert_false(hear(UINT32_MAX));
}

int
house_open(void)
{
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };
	int			 fd, sv[2];

	if (base == NULL) {
		base = event_base_new();
		ipc_init(base);
		log_set_level(0);
		signal(SIGPIPE, SIG_IGN);
	}
	memset(&conf, 0, sizeof(conf));
	memset(&seen, 0, sizeof(seen));
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	parent_ch = ipc_new(sv[0], ROLE_CONTROL, ROLE_PARENT, control_parent,
	    on_closed, NULL);
	msad = ipc_new(sv[1], ROLE_PARENT, ROLE_CONTROL, parent_side,
	    on_closed, NULL);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	queue_ch = ipc_new(sv[0], ROLE_CONTROL, ROLE_QUEUE,
	    question_queue_handlers, on_closed, NULL);
	queue = ipc_new(sv[1], ROLE_QUEUE, ROLE_CONTROL, queue_side,
	    on_closed, NULL);
	question_set_channel(ROLE_QUEUE, queue_ch);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	auth_ch = ipc_new(sv[0], ROLE_CONTROL, ROLE_AUTH,
	    question_auth_handlers, on_closed, NULL);
	auth = ipc_new(sv[1], ROLE_AUTH, ROLE_CONTROL, auth_side, on_closed,
	    NULL);
	question_set_channel(ROLE_AUTH, auth_ch);
	snprintf(path, sizeof(path), "/tmp/msad-t_control.%d", (int)getpid());
	unlink(path);
	strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    listen(fd, 128) == -1)
		return -1;
	clients_listen(fd);
	/* the test may be run by anybody */
	conf.socket_group = path;
	call();
	return 0;
}

void
house_close(void)
{
	close(sock);
	question_set_channel(ROLE_QUEUE, NULL);
	question_set_channel(ROLE_AUTH, NULL);
	while (!TAILQ_EMPTY(&clients))
		event_base_loop(base, EVLOOP_ONCE);
	clients_unlisten();
	unlink(path);
	ipc_free(parent_ch);
	ipc_free(msad);
	ipc_free(queue_ch);
	ipc_free(queue);
	ipc_free(auth_ch);
	ipc_free(auth);
}
