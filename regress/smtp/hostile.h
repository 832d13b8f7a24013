#ifndef SMTP_HOSTILE_H
#define SMTP_HOSTILE_H

#include "common/conf.h"
#include "common/ipc.h"

/*
 * The channels of a hostile front-end and the steps that its attacks are made
 * of. A step that asks something waits for the answer and returns its verdict,
 * -1 when none came.
 */
#define WAIT_MS	10000	/* for an answer */

extern struct ipc	*auth, *keys, *queue;
extern int		 gone;		/* the other side closed a channel */
extern int		 verdict;	/* of the last answer */
extern char		 queue_id[64];
extern int		 signed_ok;
extern char		 attack[64];
/* What MAIL, RCPT and the end carry; attacks set them. */
extern const char	*mail_params, *rcpt_params;
extern uint8_t		 end_flags;

void	 outcome(const char *what);
int	 hostile_channel(enum ipc_role peer, uint32_t index, uint64_t epoch,
    struct slice name, int fd);
int	 answer(struct ipc *ch, unsigned int type);
void	 open_session(uint64_t sid);
void	 start_plain(uint64_t sid);
int	 log_in(uint64_t sid);
int	 mail(uint64_t sid, const char *from);
int	 rcpt(uint64_t sid, const char *to);
void	 data(uint64_t sid, const char *ehlo);
size_t	 piece(unsigned int type, uint64_t sid, const char *p, size_t n);
int	 finish(uint64_t sid, uint64_t size);
const char *own_address(char *buf, size_t size);
int	 begin_message(uint64_t sid, const char *ehlo);
void	 tell(int v);
/* A frame that ipc_send() would not let out. */
void	 raw(struct ipc *, unsigned int type, uint64_t sid, const char *p,
    size_t n);

#endif
