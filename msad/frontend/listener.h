#ifndef FRONTEND_LISTENER_H
#define FRONTEND_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf_limits.h"
#include "common/ipc_types.h"
#include "common/slice.h"

struct conf;
struct client_cas;
struct tls;

/*
 * What a listener of one generation of the configuration gives its sessions;
 * they keep it over a reload. Counted.
 */
struct settings {
	unsigned int	 refs;
	uint16_t	 index;
	bool		 implicit;	/* TLS from the first octet */
	bool		 optional;	/* starttls optional */
	char		*host;
	uint64_t	 message_size;
	unsigned int	 proxy;		/* CONF_PROXY_*: a header is due */
	bool		 early_reject;
	uint16_t	 port;		/* as configured; 0: local socket */
	struct conf_limits limits;
	unsigned int	 mechs;		/* CONF_MECH_* */
	struct tls	*tls;
	struct client_cas *cas;	/* a client certificate is asked for */
};

struct settings *settings_ref(struct settings *);
void	 settings_unref(struct settings *);

/*
 * A certificate or client CA file of a generation under preparation; owns fd.
 * 0 or -1.
 */
int	 listener_file(uint32_t generation, enum ipc_file, struct slice name,
    int fd);
/* Build what the configuration asks for. 0, or -1 with reason. */
int	 listener_prepare(struct conf *, uint32_t generation,
    char *reason, size_t size);
void	 listener_commit(uint32_t generation);
void	 listener_abort(uint32_t generation);
/* A listening socket of the current generation; owned. */
void	 listener_add(uint32_t generation, uint16_t index, int fd);
/* A connection that auth accepted for a local user; fd is owned. */
void	 listener_local(uint64_t sid, struct slice user, int fd);
/* Accept from now on; until then sockets only gather. */
void	 listener_start(void);
/* Close all listening sockets for good. */
void	 listener_stop(void);
/* The number of sessions that fit into this process; once, before work. */
void	 listener_limits(void);

#endif
