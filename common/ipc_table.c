/*
 * What ipc_types.h says, in a form that can be asked: may this message go from
 * that role to this one, with that many octets and with a descriptor? Pure; no
 * channel is needed, so that tests and the fuzz target ask it as ipc.c does.
 */
#include <stddef.h>
#include <stdint.h>

#include "common/ipc.h"

enum fd_rule { FD_N, FD_F, FD_O };

struct rule {
	const char	*name;
	enum ipc_role	 from;
	enum ipc_role	 to;
	uint32_t	 min;
	uint32_t	 max;
	enum fd_rule	 fd;
};

static const struct rule rules[IPC_TYPE_MAX] = {
#define X(name, from, to, min, max, fd) \
	[IPC_##name] = { #name, ROLE_##from, ROLE_##to, min, max, FD_##fd },
	IPC_TABLE(X)
#undef X
};

#define X(name, from, to, min, max, fd) \
	_Static_assert((max) <= IPC_PAYLOAD_MAX && (min) <= (max), #name);
IPC_TABLE(X)
#undef X

static const char *const role_names[ROLE_MAX] = {
	"parent", "frontend", "auth", "pam", "keys", "queue", "relay",
	"resolver", "control", "lookup"
};

const char *
ipc_role_name(enum ipc_role role)
{
	return (unsigned int)role < ROLE_MAX ? role_names[role] : "unknown";
}

const char *
ipc_type_name(unsigned int type)
{
	if (type == 0 || type >= IPC_TYPE_MAX)
		return "unknown";
	return rules[type].name;
}

static int
role_fits(enum ipc_role rule, enum ipc_role role)
{
	return rule == role || (rule == ROLE_ANY && role != ROLE_PARENT);
}

int
ipc_check(unsigned int type, enum ipc_role from, enum ipc_role to, size_t len,
    int has_fd, const char **reason)
{
	const struct rule	*r;

	if (type == 0 || type >= IPC_TYPE_MAX) {
		*reason = "unknown type";
		return -1;
	}
	r = &rules[type];
	if (!role_fits(r->from, from) || !role_fits(r->to, to)) {
		*reason = "not allowed on this channel";
		return -1;
	}
	if (len < r->min || len > r->max) {
		*reason = "wrong size";
		return -1;
	}
	if ((r->fd == FD_N && has_fd) || (r->fd == FD_F && !has_fd)) {
		*reason = has_fd ? "unexpected descriptor" :
		    "descriptor missing";
		return -1;
	}
	return 0;
}
