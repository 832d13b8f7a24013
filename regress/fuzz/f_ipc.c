/*
 * A compromised peer: arbitrary octets on a channel reach the handlers only as
 * messages that the table allows. The first octet chooses who talks to whom.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <event.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct event_base *base;
static enum ipc_role	  self, peer;
static int		  closed_seen;

/* Read as every handler does, in an order that the payload chooses. */
static int
on_any(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	const char		*reason;
	char			 buf[64];

	(void)ch;
	(void)arg;
	if (ipc_check(msg->type, peer, self, msg->len, msg->fd != -1,
	    &reason) == -1)
		abort();
	ipc_reader(&r, msg);
	while (r.left > 0 && !r.bad) {
		switch (ipc_get_u8(&r) % 6) {
		case 0:
			ipc_get_u16(&r);
			break;
		case 1:
			ipc_get_u32(&r);
			break;
		case 2:
			ipc_get_u64(&r);
			break;
		case 3:
			ipc_get_str(&r);
			break;
		case 4:
			ipc_get_bytes(&r);
			break;
		default:
			ipc_copy_str(&r, buf, sizeof(buf));
		}
	}
	return ipc_done(&r) ? 0 : -1;
}

static void
on_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)end;
	(void)arg;
	closed_seen = 1;
	ipc_free(ch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ipc_handler	 handlers[IPC_TYPE_MAX];
	struct ipc			*ch;
	unsigned int			 i;
	int				 fds[2];

	if (size < 1 || size > 60000)
		return 0;
	if (base == NULL) {
		log_set_level(-1);
		base = event_base_new();
		ipc_init(base);
		for (i = 1; i < IPC_TYPE_MAX; i++)
			handlers[i - 1] = (struct ipc_handler){ i, on_any };
	}
	self = data[0] % ROLE_MAX;
	peer = data[0] / ROLE_MAX % ROLE_MAX;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == -1)
		return 0;
	closed_seen = 0;
	ch = ipc_new(fds[1], self, peer, handlers, on_closed, NULL);
	if (write(fds[0], data + 1, size - 1) == -1)
		abort();
	close(fds[0]);
	for (i = 0; i < 16 && !closed_seen; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	if (!closed_seen)
		ipc_free(ch);
	return 0;
}
