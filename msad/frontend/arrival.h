#ifndef FRONTEND_ARRIVAL_H
#define FRONTEND_ARRIVAL_H

#include <sys/socket.h>

#include <stdbool.h>

#include "common/network.h"

struct conf_limits;
struct session;

/* What a connection is counted by while it lasts. */
struct arrival {
	struct network	 address;
	struct network	 network;
	bool		 counted;
};

/* The file of counts that all workers share (common/counts.h); owns fd. */
void	 arrival_counts(int fd);
/* Count a connection from sa; false: one too many, and it is not counted. */
bool	 arrival_enter(const struct conf_limits *, const struct sockaddr *,
    struct arrival *);
void	 arrival_leave(struct arrival *);
/* "bar from": is this client served? */
bool	 arrival_barred(const struct sockaddr *);
/* "proxy from": is what this peer says of its client believed? */
bool	 arrival_may_proxy(const struct sockaddr *);
/* Has the client spoken before it was greeted, where that is refused? */
bool	 arrival_early(const struct session *);
/* Read on in the PROXY header; once it is whole the session begins. */
void	 arrival_proxy(struct session *);

#endif
