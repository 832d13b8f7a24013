#ifndef AUTH_ABANDONED_H
#define AUTH_ABANDONED_H

struct session;

/*
 * The client gives a login up while its password is verified, and so does the
 * session: it has neither verification nor ticket after that. What a backend
 * has begun counts all the same once it is over.
 */
void	 abandoned_take(struct session *);

#endif
