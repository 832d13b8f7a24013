#ifndef RELAY_CLIENT_H
#define RELAY_CLIENT_H

#include <sys/types.h>
#include <sys/queue.h>

#include <stdint.h>
#include <time.h>

#include "msad/relay/conn.h"
#include "msad/relay/dot.h"
#include "msad/relay/job.h"
#include "msad/relay/reply_parser.h"
#include "msad/relay/resolve.h"

/*
 * An SMTP session with a next hop. setup.c brings it from a host name to the
 * state in which it takes mail (CLIENT_IDLE); client.c sends mail through it;
 * pool.c owns it and gives it jobs.
 */

enum client_state {
	CLIENT_RESOLVE,		/* the host name is being resolved */
	CLIENT_CONNECT,		/* TCP, and TLS where it comes first */
	CLIENT_GREETING,
	CLIENT_EHLO,
	CLIENT_HELO,
	CLIENT_STARTTLS,	/* sent, the reply is awaited */
	CLIENT_TLS,		/* handshake after STARTTLS */
	CLIENT_AUTH,		/* PLAIN sent, or the last step of LOGIN */
	CLIENT_LOGIN_USER,
	CLIENT_LOGIN_PASS,
	CLIENT_IDLE,
	CLIENT_ENVELOPE,	/* MAIL, RCPT, DATA and their replies */
	CLIENT_CONTENT,		/* after 354: octets go out */
	CLIENT_END,		/* the final dot is out, its reply is awaited */
	CLIENT_QUIT,
	CLIENT_CLOSED
};

#define CAP_PIPELINING	0x01
#define CAP_SIZE	0x02
#define CAP_8BITMIME	0x04
#define CAP_STARTTLS	0x08
#define CAP_AUTH	0x10
#define CAP_PLAIN	0x20
#define CAP_LOGIN	0x40
#define CAP_DSN		0x80
#define CAP_SMTPUTF8	0x100
#define CAP_DELIVERBY	0x200
#define CAP_MT_PRIORITY	0x400

/* RFC 5321 section 4.5.3.2, and our own for what it does not name; seconds. */
#define TIMEOUT_CONNECT		30
#define TIMEOUT_HANDSHAKE	60
#define TIMEOUT_GREETING	300
#define TIMEOUT_COMMAND		300	/* EHLO, MAIL, RCPT, AUTH, STARTTLS */
#define TIMEOUT_DATA		120
#define TIMEOUT_BLOCK		180
#define TIMEOUT_END		600
#define TIMEOUT_QUIT		5
#define CLIENT_IDLE_SECONDS	10	/* an unused connection is kept */
#define CLIENT_MESSAGES_MAX	1000	/* then a new connection */
#define CLIENT_AGE_MAX		300

struct pool;

/* Which of its pool's lists a client is on. */
enum client_place {
	PLACE_ACTIVE,		/* setting up, or with a job */
	PLACE_IDLE,
	PLACE_LEAVING,		/* saying QUIT */
	PLACE_DEAD,
	PLACE_MAX
};

struct client {
	TAILQ_ENTRY(client)	 entry;		/* in the pool */
	struct pool		*pool;
	enum client_place	 place;		/* the pool's */
	int			 setting_up;	/* the pool's */
	struct conn		*conn;
	int			 counted;	/* as an active connection */
	enum client_state	 state;
	struct reply		 reply;
	unsigned int		 caps;
	uint64_t		 size_limit;	/* of SIZE; 0: none stated */
	uint32_t		 by_min;	/* of DELIVERBY; seconds */
	time_t			 born;		/* monotonic seconds */
	unsigned int		 messages;

	/* setting up */
	struct query		*query;
	char			*addr[RESOLVE_MAX];
	unsigned int		 naddr, iaddr;
	unsigned int		 wants;		/* CAP_*: of the first job */
	unsigned int		 fallback;	/* address to settle for */
	int			 searched;	/* no address has all of it */
	struct result		 trouble;	/* of the address in use */
	struct result		 worst;		/* got furthest */
	enum client_state	 worst_state;
	char			 worst_host[256];
	char			*user;		/* credentials; NULL: none */
	char			*password;
	size_t			 password_len;
	uint8_t			 cred[JOB_CRED_SIZE];
	char			 host[256];	/* "name[address]:port" */
	char			 tls[128];	/* for RELAY_RESULT */

	/* the transaction */
	struct job		*job;
	struct rcpt		**tx;		/* its recipients */
	size_t			 ntx, txsize;
	size_t			 sent, answered; /* commands of the envelope */
	size_t			 accepted;	/* recipients */
	int			 rset_first;	/* begin with RSET */
	int			 mail_refused;
	int			 null_sender;	/* its MAIL says <> */
	int			 utf8;		/* it says SMTPUTF8 */
	int			 got_reply;	/* since the job came */
	uint64_t		 offset;	/* content octets written */
	struct dot		 dot;
};

/* setup.c */
/* A client that sets itself up; credentials are copied from job. */
struct client *client_new(struct pool *, const struct job *);
void	 client_free(struct client *);
void	 setup_event(struct client *, enum conn_event);
/* A reply in a state before CLIENT_IDLE. */
void	 setup_reply(struct client *);
/* The address in use is no good, c->trouble says why: try the next one. */
void	 setup_abandon(struct client *);
/* Close the connection; the client is to be freed later. */
void	 client_close(struct client *);
int	 client_same_credentials(const struct client *, const struct job *);

/* client.c */
void	 client_event(enum conn_event, void *);
/*
 * Give an idle client a job. 0, or 1: the next hop cannot take it, the job is
 * answered and the client still idle.
 */
int	 client_send(struct client *, struct job *);
/* Say QUIT, wait a little for the answer, then end. */
void	 client_quit(struct client *);
/*
 * Put a command line into the output; CRLF is added. With a timeout it is
 * also written, and the reply is awaited so many seconds.
 */
void	 client_command(struct client *, unsigned int timeout, const char *fmt,
	    ...) __attribute__((__format__(printf, 3, 4)));
/* What the queue is to know of the next hop: RESULT_*. */
uint8_t	 client_flags(const struct client *);
/* The reply under way, as a result. */
void	 client_result(const struct client *, struct result *);
/* The same where 2xx and 3xx make no sense: these count as transient. */
void	 client_refusal(const struct client *, struct result *);

#endif
