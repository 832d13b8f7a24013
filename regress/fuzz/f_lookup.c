/* links: msad/queue/lookup.c msad/queue/form.c */
/* An answer of msad-lookup as a process that was taken over might send it. */
#include <sys/socket.h>

#include <event.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "msad/queue/lookup.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct event_base	*base;
static struct ipc		*channel;
static int			 other;

static void
done(void *arg)
{
	++*(int *)arg;
}

static void
closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)ch;
	(void)end;
	(void)arg;
	abort();
}

/* A channel whose other end is read and thrown away. */
static void
drain(void)
{
	char	buf[4096];
	int	fds[2];

	if (base == NULL) {
		log_set_level(3);
		base = event_base_new();
		ipc_init(base);
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) ==
		    -1)
			abort();
		other = fds[1];
		channel = ipc_new(fds[0], ROLE_QUEUE, ROLE_LOOKUP,
		    lookup_handlers, closed, NULL);
		lookup_set_channel(channel);
	}
	event_base_loop(base, EVLOOP_NONBLOCK);
	while (read(other, buf, sizeof(buf)) > 0)
		;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct form_rules	 exact;
	static uint64_t			 id;
	const char			*table = "t";
	struct ipc_msg			 msg = { .type = IPC_LOOKUP_ANSWER,
		.data = data, .len = size, .fd = -1 };
	struct lookups			*ls;
	struct forms			 f;
	unsigned int			 kept, pending;
	int				 told = 0;

	drain();
	if (size < 5 || size > IPC_PAYLOAD_MAX)
		return 0;
	if ((ls = lookups_ask(&table, 1, "ann", 0, done, &told)) == NULL ||
	    !form_mailbox(&exact, SLICE_STR("a@b.example"), &f))
		abort();
	msg.sid = ++id;
	if ((lookup_handlers[0].fn(channel, &msg, NULL) == 0) != (told == 1))
		abort();
	(void)lookups_sender(ls, table, &exact, &f, true);
	lookup_tick(LOOKUP_WAIT_MS);
	if (told != 1)
		abort();
	lookup_tick(3 * LOOKUP_WAIT_MS);
	lookup_count(&kept, &pending);
	if (kept != 0 || pending != 0)
		abort();
	lookups_free(ls);
	return 0;
}
