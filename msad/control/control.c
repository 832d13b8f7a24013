/*
 * msad-control: what msactl(8) talks to.
 *
 * A child of msad with a user of its own, in an empty root and a sandbox that
 * lets it accept connections and nothing more. It holds no data: it asks the
 * queue and msad over their channels and adds up the counters. Callers are
 * checked in peers.c; what the queue may tell them is for the queue to decide,
 * by the caller's uid and groups that go with each question.
 *
 * This file has the channels and the life cycle; see client.c for connections
 * and question.c for answers.
 */
#include <sys/types.h>

#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/log.h"
#include "msad/control/client.h"
#include "msad/control/question.h"
#include "msad/control/stats.h"

static struct ipc	*queue, *auth;

/* What jansson keeps may be a password: it is wiped when it is freed. */
#define KEEP	(sizeof(max_align_t))

static void *
wiped_malloc(size_t size)
{
	char	*p;

	if (size > SIZE_MAX - KEEP || (p = malloc(size + KEEP)) == NULL)
		return NULL;
	memcpy(p, &size, sizeof(size));
	return p + KEEP;
}

static void
wiped_free(void *p)
{
	char	*start;
	size_t	 size;

	if (p == NULL)
		return;
	start = (char *)p - KEEP;
	memcpy(&size, start, sizeof(size));
	freezero(start, size + KEEP);
}

/* jansson would look for a random device, which is not here. */
static int
control_init(void)
{
	json_set_alloc_funcs(wiped_malloc, wiped_free);
	json_object_seed(arc4random() | 1);
	return 0;
}

static void
control_listener(uint32_t generation, uint16_t index, int fd)
{
	(void)generation;
	if (index != 0) {
		log_warn("event=control-listener index=%u", index);
		close(fd);
		return;
	}
	clients_listen(fd);
}

/* --- the queue and auth --- */

static void
on_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	enum ipc_role	  role = ch == auth ? ROLE_AUTH : ROLE_QUEUE;
	struct ipc	**slot = ch == auth ? &auth : &queue;

	(void)arg;
	log_warn("event=control-channel peer=%s end=%d", ipc_role_name(role),
	    (int)end);
	ipc_free(ch);
	if (ch != *slot)
		return;
	*slot = NULL;
	question_set_channel(role, NULL);
}

static int
control_channel(enum ipc_role peer, uint32_t index, uint64_t epoch,
    struct slice name, int fd)
{
	struct ipc	**slot = peer == ROLE_AUTH ? &auth : &queue, *ch;

	(void)name;
	if (peer != ROLE_QUEUE && peer != ROLE_AUTH) {
		close(fd);
		return -1;
	}
	ch = ipc_new(fd, ROLE_CONTROL, peer, peer == ROLE_AUTH ?
	    question_auth_handlers : question_queue_handlers, on_closed, NULL);
	if (ch == NULL) {
		close(fd);
		return -1;
	}
	ipc_set_peer(ch, index, epoch);
	ipc_free(*slot);
	*slot = ch;
	question_set_channel(peer, ch);
	return 0;
}

/* --- msad --- */

static int
on_stats_page(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	uint32_t		 slot;
	uint8_t			 role, gone;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	role = ipc_get_u8(&r);
	slot = ipc_get_u32(&r);
	gone = ipc_get_u8(&r);
	if (!ipc_done(&r) || role >= ROLE_MAX || (gone == 0 && msg->fd == -1))
		return -1;
	if (gone)
		pages_forget(role, slot);
	else if (pages_take(role, slot, msg->fd) == -1)
		log_warn("event=stats-page peer=%s[%u] error=%s",
		    ipc_role_name(role), slot, log_q(strerror(errno)));
	return 0;
}

static void
control_shutdown(unsigned int seconds)
{
	(void)seconds;
	clients_unlisten();
	child_exit(0);
}

static const struct ipc_handler	 parent_handlers[] = {
	{ IPC_CTL_PROCESS, question_process },
	{ IPC_CTL_PARENT_END, question_parent_end },
	{ IPC_CTL_STATS_PAGE, on_stats_page },
	{ 0, NULL }
};

static const struct child	 control_child = {
	.role = ROLE_CONTROL,
	.name = "control",
	.init = control_init,
	.listener = control_listener,
	.channel = control_channel,
	.shutdown = control_shutdown,
	.handlers = parent_handlers
};

int
main(int argc, char **argv)
{
	return child_main(&control_child, argc, argv);
}
