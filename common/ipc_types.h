#ifndef COMMON_IPC_TYPES_H
#define COMMON_IPC_TYPES_H

/*
 * Every message that two processes of msad may exchange: the whole of what
 * they say to each other. ipc.c refuses what this table does not allow on a
 * channel; a refusal means that the peer is compromised or broken.
 *
 * X(TYPE, sender, receiver, min payload, max payload, descriptor)
 *   descriptor: N none, F exactly one, O one or none.
 *   ANY stands for every process but msad itself.
 *
 * Payload notation: u8 u16 u32 u64 are big-endian; str is u16 length and
 * octets without NUL; bytes is u32 length and octets; addr is str (numeric
 * host) and u16 port. "sid" is the session (or request) id of the header.
 */

enum ipc_role {
	ROLE_PARENT = 0,
	ROLE_FRONTEND,
	ROLE_AUTH,
	ROLE_PAM,
	ROLE_KEYS,
	ROLE_QUEUE,
	ROLE_RELAY,
	ROLE_RESOLVER,
	ROLE_CONTROL,
	ROLE_LOOKUP,
	ROLE_MAX,
	ROLE_ANY = ROLE_MAX
};

#define IPC_PAYLOAD_MAX	(16384 + 64)
/* Octets of body that a session may have under way to the queue. */
#define IPC_BODY_CREDIT	32768
/* Largest piece of header or body in one message (room for its length). */
#define IPC_PIECE_MAX	(IPC_PAYLOAD_MAX - 64)

/* What a descriptor sent with PROC_FILE is. */
enum ipc_file {
	FILE_PKI_CERT = 1,	/* name: pki; PEM chain; frontend */
	FILE_PKI_KEY,		/* name: pki; PEM private key; keys */
	FILE_TABLE,		/* name: table; queue */
	FILE_RELAY_CA,		/* name: relay; PEM bundle; relay */
	FILE_HOSTS,		/* name ""; /etc/hosts; resolver; or absent */
	FILE_RESOLV,		/* name ""; /etc/resolv.conf; likewise */
	FILE_COUNTS,		/* name ""; common/counts.h; frontend */
	FILE_PASSWD,		/* name: auth block; verifiers; auth */
	FILE_OAUTH_KEYS,	/* name: auth block; JWKS; auth */
	FILE_CLIENT_CA,		/* name: auth block; PEM; frontend, auth */
	FILE_CLIENT_CRL,	/* name: auth block; PEM; auth */
	FILE_TABLE_DB,		/* name: table; SQLite database; lookup */
	FILE_TABLE_PASSWORD	/* name: table; for its bind-dn; lookup */
};

/* Flags of RELAY_RESULT. */
#define RESULT_DSN	0x01	/* the next hop lists DSN: reports are its */
#define RESULT_SMTPUTF8	0x02	/* it lists SMTPUTF8, or is a Maildir */
#define RESULT_7BIT	0x04	/* it was reached and lacks 8BITMIME */
#define RESULT_DELIVERBY 0x08	/* it was told by when, and takes that on */
#define RESULT_FLAGS	0x0f

/* Flags of RELAY_JOB: what its octets are. */
#define JOB_8BIT	0x01	/* some are above 127 */
#define JOB_UTF8HEADER	0x02	/* in the header, or in that of a part */

/* Flags of SMTP_END. */
#define END_UTF8HEADER	0x01	/* the header of a part is not ASCII */
#define END_FLAGS	0x01

/* Flags of PROC_INIT. */
#define INIT_MAILDIR	0x01	/* a relay rooted in a Maildir, no network */
/* Indices of Maildir relay processes begin here; network workers at 0. */
#define RELAY_MAILDIR_INDEX	0x10000

/*
 * Session ids of local sessions, which msad-auth chooses, have the top bit;
 * those of a front-end's own sessions never do.
 */
#define IPC_SID_LOCAL	(UINT64_C(1) << 63)
/* Listener index of the local socket, in PROC_LISTENER (auth) and GRANT. */
#define IPC_LISTENER_LOCAL	0xffff
/*
 * Flags of GRANT: the proof is what a front-end saw (EXTERNAL); no login, the
 * client's address stands for it.
 */
#define GRANT_SEEN	0x01
#define GRANT_ADDRESS	0x02
#define GRANT_FLAGS	0x03
/* Entries of each list of a GRANT. */
#define GRANT_LIST_MAX	64

/* Values of a LOOKUP_ANSWER, and octets of one. */
#define LOOKUP_VALUES_MAX	256
#define LOOKUP_VALUE_MAX	256

/* Octets of a user's name, as auth takes it. */
#define IPC_USER_MAX	255
/* Octets of a password, as auth takes it and PAM gets it. */
#define IPC_PASSWORD_MAX	1024

/* What CTL_QUEUE_SELECT does with what it selects. */
enum steer_verb {
	STEER_LIST = 0,
	STEER_COUNT,		/* nothing: -n */
	STEER_HOLD,		/* until released */
	STEER_RELEASE,		/* what is held, by whatever */
	STEER_FLUSH,		/* try now */
	STEER_EXPIRE,		/* as if its lifetime were over: DSN */
	STEER_FAIL,		/* give up now: DSN, with the reason */
	STEER_DROP,		/* away with it, nobody is told */
	STEER_REROUTE,		/* to another relay of the configuration */
	STEER_VERBS
};

/* What CTL_QUEUE_SUMMARY groups by. */
enum group_key {
	GROUP_RELAY = 0,
	GROUP_TENANT,
	GROUP_USER,
	GROUP_DOMAIN,
	GROUP_FROM,
	GROUP_KEYS
};
#define GROUP_DOWN	0x01	/* it could not be reached */
#define GROUP_PAUSED	0x02
#define GROUP_UNKNOWN	0x04	/* the configuration does not name it */
#define GROUP_FLAGS	0x07

/*
 * Of CTL_QUEUE_AGES: younger than 5, 10, 20, 40, 80, 160, 320, 640, 1280
 * minutes, and older than that.
 */
#define AGE_BUCKETS	10

enum rule_action { RULE_HOLD = 1, RULE_REJECT };

enum pause_kind {
	PAUSE_ACCEPT = 0,	/* new messages: 451 4.3.0 */
	PAUSE_RELAY,
	PAUSE_DOMAIN,
	PAUSE_TENANT,
	PAUSE_KINDS
};

#define IPC_TABLE(X) \
	/* --- life cycle: msad and each of its children --- */ \
	/* First message: u32 index, u64 epoch, u32 uid, u32 gid, u8 \
	 * loglevel, u8 to_stderr, u8 flags (INIT_*), str root; fd: own \
	 * statistics page. */ \
	X(PROC_INIT, PARENT, ANY, 24, 2048, F) \
	/* u32 generation; fd: canonical configuration text */ \
	X(PROC_CONF_PREPARE, PARENT, ANY, 4, 4, F) \
	/* u32 generation, u8 enum ipc_file, str name; fd: the open file. Sent \
	 * after PREPARE of that generation, before CHECK. */ \
	X(PROC_FILE, PARENT, ANY, 7, 600, F) \
	/* u32 generation: all files of it are there; answer READY or \
	 * REFUSED */ \
	X(PROC_CONF_CHECK, PARENT, ANY, 4, 4, N) \
	X(PROC_CONF_READY, ANY, PARENT, 4, 4, N) \
	/* u32 generation, str reason */ \
	X(PROC_CONF_REFUSED, ANY, PARENT, 6, 2048, N) \
	/* u32 generation: it holds from now on */ \
	X(PROC_CONF_COMMIT, PARENT, ANY, 4, 4, N) \
	/* u32 generation: forget it */ \
	X(PROC_CONF_ABORT, PARENT, ANY, 4, 4, N) \
	/* u8 role of the peer, u32 its index, u64 its epoch, str name (of the \
	 * relay that a Maildir process serves, else ""); fd: a channel */ \
	X(PROC_CHANNEL, PARENT, ANY, 15, 300, F) \
	/* u32 generation, u16 listener index; fd: a listening socket \
	 * (frontend: by configuration order; control: index 0; auth: the \
	 * local socket, IPC_LISTENER_LOCAL) */ \
	X(PROC_LISTENER, PARENT, ANY, 6, 6, F) \
	/* fd: connected syslog socket */ \
	X(PROC_SYSLOG, PARENT, ANY, 0, 0, F) \
	/* u8 level */ \
	X(PROC_LOGLEVEL, PARENT, ANY, 1, 1, N) \
	/* All set up: begin work. Answered by PROC_STARTED. */ \
	X(PROC_START, PARENT, ANY, 0, 0, N) \
	X(PROC_STARTED, ANY, PARENT, 0, 0, N) \
	/* u16 seconds: end in order within that time, then exit 0 */ \
	X(PROC_SHUTDOWN, PARENT, ANY, 2, 2, N) \
	/* u8 role (frontend or relay), u64 epoch: this worker broke the rules \
	 * of its channel, or hangs: kill it. From auth, keys and queue. */ \
	X(PROC_CONDEMN, ANY, PARENT, 9, 9, N) \
	/* --- auth and msad: the pool of PAM workers --- */ \
	/* u16 workers wanted in all */ \
	X(PAM_POOL_WANT, AUTH, PARENT, 2, 2, N) \
	/* u32 index: this worker hangs, end it */ \
	X(PAM_POOL_KILL, AUTH, PARENT, 4, 4, N) \
	/* --- auth and msad: names of local users; sid: request --- */ \
	/* u32 uid */ \
	X(USER_ASK, AUTH, PARENT, 4, 4, N) \
	/* u32 uid, u8 status (0 found, 1 no such user, 2 cannot be told \
	 * now), str name ("" unless found) */ \
	X(USER_NAME, PARENT, AUTH, 7, 300, N) \
	/* --- frontend and auth --- */ \
	/* sid strictly increasing on the channel: u16 listener index, addr \
	 * client, addr local */ \
	X(SESSION_OPEN, FRONTEND, AUTH, 10, 300, N) \
	X(SESSION_CLOSE, FRONTEND, AUTH, 0, 0, N) \
	/* What the handshake was, once, before AUTH_START under TLS: str \
	 * version ("TLSv1.3"), bytes tls-exporter, bytes tls-unique, bytes \
	 * tls-server-end-point (empty: cannot be had), bytes client \
	 * certificate (DER; empty: none, or none asked for) */ \
	X(SESSION_TLS, FRONTEND, AUTH, 18, 12288, N) \
	/* Answer to a SESSION_TLS with a certificate: u8 (1: it is good and \
	 * somebody's, EXTERNAL can be had) */ \
	X(SESSION_CERT, AUTH, FRONTEND, 1, 1, N) \
	/* Answer to SESSION_OPEN or AUTH_START at any time: this client is \
	 * not served. u32 seconds for which that holds (0: unknown), str \
	 * reason for the log. The front-end says 421 4.7.0 and closes. */ \
	X(SESSION_REFUSE, AUTH, FRONTEND, 6, 300, N) \
	/* The client's address stands for a login (`grants allow`) and the \
	 * queue has taken the grant: str user. As after AUTH_RESULT ok. */ \
	X(SESSION_GRANTED, AUTH, FRONTEND, 2, 300, N) \
	/* u8 tls (1: under TLS), str mechanism, u8 has_initial, bytes initial \
	 * (decoded octets). One attempt at a time a session. */ \
	X(AUTH_START, FRONTEND, AUTH, 8, IPC_PAYLOAD_MAX, N) \
	/* bytes response (decoded) */ \
	X(AUTH_RESPONSE, FRONTEND, AUTH, 4, IPC_PAYLOAD_MAX, N) \
	X(AUTH_CANCEL, FRONTEND, AUTH, 0, 0, N) \
	/* bytes challenge (not encoded) */ \
	X(AUTH_CHALLENGE, AUTH, FRONTEND, 4, 8192, N) \
	/* u8 enum verdict, str user (when ok: for the log), u32 delay in ms \
	 * before the reply is sent */ \
	X(AUTH_RESULT, AUTH, FRONTEND, 7, 600, N) \
	/* A local session, logged in from the start: the queue has taken its \
	 * grant. sid with IPC_SID_LOCAL; str user, u32 uid, u32 pid (for the \
	 * log); fd: the connection. Front-ends never open one themselves. */ \
	X(SESSION_LOCAL, AUTH, FRONTEND, 10, 600, F) \
	/* --- auth and pam; sid: request --- */ \
	/* str service, str user, bytes password, str remote host, str tty */ \
	X(PAM_REQUEST, AUTH, PAM, 12, 8192, N) \
	/* The account checks alone, for a user who has been authenticated: \
	 * str service, str user, str remote host, str tty. Answered alike. \
	 */ \
	X(PAM_ACCOUNT, AUTH, PAM, 8, 4096, N) \
	/* u8 enum verdict, str user as PAM_USER read back, u32 fail delay us, \
	 * str reason for the log */ \
	X(PAM_RESULT, PAM, AUTH, 9, 2048, N) \
	/* u16 conversations left before it wants to be replaced; 0: \
	 * exiting */ \
	X(PAM_IDLE, PAM, AUTH, 2, 2, N) \
	/* --- auth and queue; sid: session --- */ \
	/* u64 front-end epoch, str user, str tenant, str auth block, str \
	 * mechanism, u16 listener, addr client, str realm, u8 flags \
	 * (GRANT_*), str label of the credential ("" none), u16 n, n times \
	 * str address or @domain that it may send as (n 0: no such \
	 * restriction), u16 n, n times str recipient domain (likewise), u32 \
	 * messages an hour (0: no limit), u64 time before which nothing is \
	 * relayed (seconds since 1970; 0: none) */ \
	X(GRANT, AUTH, QUEUE, 41, IPC_PAYLOAD_MAX, N) \
	/* u64 front-end epoch, u8 taken (0: no such front-end, or in use) */ \
	X(GRANT_TAKEN, QUEUE, AUTH, 9, 9, N) \
	/* u64 front-end epoch */ \
	X(GRANT_REVOKE, AUTH, QUEUE, 8, 8, N) \
	/* --- frontend and keys; sid: request --- */ \
	/* 32 octets key id (SHA-256 of SubjectPublicKeyInfo), u8 padding \
	 * (0 none, 1 PKCS#1, 6 PSS), str digest ("" for none), bytes to \
	 * be signed */ \
	X(KEY_SIGN, FRONTEND, KEYS, 39, 1200, N) \
	/* u8 ok, bytes signature */ \
	X(KEY_SIGNED, KEYS, FRONTEND, 5, 1200, N) \
	/* --- frontend and queue; sid: session --- */ \
	/* str reverse-path (without brackets), u64 SIZE or 0, str parameters \
	 * (canonical, see params.h). Answered by SMTP_VERDICT. */ \
	X(SMTP_MAIL, FRONTEND, QUEUE, 12, 2200, N) \
	/* str forward-path, str parameters. Answered by SMTP_VERDICT. */ \
	X(SMTP_RCPT, FRONTEND, QUEUE, 4, 2200, N) \
	/* str EHLO name, u8 with flags (1 ESMTP, 2 TLS), str TLS version, str \
	 * TLS cipher, u8 missing fields added (log only). No answer. */ \
	X(SMTP_DATA, FRONTEND, QUEUE, 8, 1024, N) \
	/* bytes: complete header lines with CRLF (pieces may split lines) */ \
	X(SMTP_HEADER, FRONTEND, QUEUE, 5, IPC_PAYLOAD_MAX, N) \
	/* bytes of body, after the blank line (not sent), dots removed */ \
	X(SMTP_BODY, FRONTEND, QUEUE, 5, IPC_PAYLOAD_MAX, N) \
	/* u64 octets of header and body sent, u8 flags (END_*). Answered by \
	 * SMTP_QUEUED. */ \
	X(SMTP_END, FRONTEND, QUEUE, 9, 9, N) \
	/* the transaction is dropped (RSET, refused data). No answer. */ \
	X(SMTP_RESET, FRONTEND, QUEUE, 0, 0, N) \
	/* the session is gone: grant and transaction end. No answer. */ \
	X(SMTP_CLOSE, FRONTEND, QUEUE, 0, 0, N) \
	/* u8 enum verdict, str detail ("" for none) */ \
	X(SMTP_VERDICT, QUEUE, FRONTEND, 3, 600, N) \
	/* u8 enum verdict, str detail, str queue id ("" unless ok) */ \
	X(SMTP_QUEUED, QUEUE, FRONTEND, 5, 700, N) \
	/* u32 octets of header or body the queue has taken */ \
	X(SMTP_CREDIT, QUEUE, FRONTEND, 4, 4, N) \
	/* --- queue and relay; sid: job --- */ \
	/* str queue id, str relay name, str reverse-path, u64 octets, u8 \
	 * flags (JOB_*), str parameters of MAIL, str user, bytes \
	 * password (both empty: none), u64 time (seconds) of its BY, 0: none; \
	 * fd: the message octets. A second \
	 * descriptor, where the header is apart, follows in RELAY_BODY. */ \
	X(RELAY_JOB, QUEUE, RELAY, 29, 6152, F) \
	/* fd: octets that follow those of RELAY_JOB's descriptor */ \
	X(RELAY_BODY, QUEUE, RELAY, 0, 0, F) \
	/* u16 n, n times: u32 recipient index, str forward-path, str \
	 * parameters of RCPT */ \
	X(RELAY_RCPTS, QUEUE, RELAY, 2, IPC_PAYLOAD_MAX, N) \
	X(RELAY_GO, QUEUE, RELAY, 0, 0, N) \
	/* the job is no longer wanted if not begun */ \
	X(RELAY_CANCEL, QUEUE, RELAY, 0, 0, N) \
	/* u32 recipient index, u8 outcome (0 delivered, 1 transient, 2 \
	 * permanent), u16 reply code (0: none), str enhanced status, str \
	 * remote host, str reply text or reason, str TLS ("" none), u8 flags \
	 * (RESULT_*) */ \
	X(RELAY_RESULT, RELAY, QUEUE, 16, 6000, N) \
	/* u8 destination state (0 fine, 1 could not connect): all results of \
	 * this job are sent */ \
	X(RELAY_DONE, RELAY, QUEUE, 1, 1, N) \
	/* --- queue and lookup; sid: query --- */ \
	/* u32 generation, str table, str login: what may it send as? */ \
	X(LOOKUP, QUEUE, LOOKUP, 9, 1024, N) \
	/* u8 status (0 found or nothing there, 1 cannot be told now, 2 not \
	 * for this login, though the table is well), str reason for the log, \
	 * u16 n (at most LOOKUP_VALUES_MAX), n times str \
	 * address, @domain or * */ \
	X(LOOKUP_ANSWER, LOOKUP, QUEUE, 5, IPC_PAYLOAD_MAX, N) \
	/* --- relay and resolver; sid: query --- */ \
	/* str host name, u8 family (0 both, 4, 6) */ \
	X(RESOLVE, RELAY, RESOLVER, 3, 300, N) \
	/* u8 status (0 ok, 1 no such name, 2 no address, 3 transient), \
	 * u32 ttl, u8 n (at most 64), n times str numeric address */ \
	X(RESOLVED, RESOLVER, RELAY, 6, 4096, N) \
	/* --- control and msad; sid: request --- */ \
	X(CTL_RELOAD, CONTROL, PARENT, 0, 0, N) \
	/* u8 level */ \
	X(CTL_LOGLEVEL, CONTROL, PARENT, 1, 1, N) \
	X(CTL_STATUS, CONTROL, PARENT, 0, 0, N) \
	/* str name, u32 index, u32 pid, u32 uid, u64 start time, u32 \
	 * restarts; one a process, then CTL_PARENT_END */ \
	X(CTL_PROCESS, PARENT, CONTROL, 26, 200, N) \
	/* u8 ok, str reason or text */ \
	X(CTL_PARENT_END, PARENT, CONTROL, 3, 2048, N) \
	/* u8 role, u32 index, u8 gone (1: forget the page; no fd then); \
	 * fd: the statistics page of a process */ \
	X(CTL_STATS_PAGE, PARENT, CONTROL, 6, 6, O) \
	/* --- control and queue; sid: request. Each begins with the \
	 * caller: u32 uid, u16 n, n times u32 gid (at most 64) --- */ \
	/* Select messages and do something with them: caller, u8 enum \
	 * steer_verb, u64 id after which to go on (0: start), u16 at most, \
	 * str argument (reroute: relay; hold, fail: a reason, or ""; count: \
	 * the verb it counts for, with its relay, or "" for any; at most \
	 * 1024 octets), str selection (selection.h). Answered by \
	 * CTL_QUEUE_MESSAGE and CTL_QUEUE_RCPT (list alone), CTL_QUEUE_END: \
	 * matched so far, and where to go on, even when nothing matched \
	 * yet. */ \
	X(CTL_QUEUE_SELECT, CONTROL, QUEUE, 21, 10400, N) \
	/* caller, u64 message id */ \
	X(CTL_QUEUE_SHOW, CONTROL, QUEUE, 14, 300, N) \
	/* Sums: caller, u8 enum group_key, u16 groups at most. Answered by \
	 * CTL_QUEUE_TOTAL, CTL_QUEUE_GROUP (most messages first), \
	 * CTL_QUEUE_END. */ \
	X(CTL_QUEUE_SUMMARY, CONTROL, QUEUE, 9, 300, N) \
	/* u64 messages, u64 recipients, u64 octets, u64 in flight (jobs), \
	 * u64 held, u64 future, u64 arrival of the oldest (seconds, 0: none), \
	 * u8 1: acceptance is paused */ \
	X(CTL_QUEUE_TOTAL, QUEUE, CONTROL, 57, 57, N) \
	/* str name, u64 messages; of relays also, else 0 and "": u32 jobs in \
	 * flight, u8 flags (GROUP_*), u64 when a relay that is down is tried \
	 * (seconds), str why it is down */ \
	X(CTL_QUEUE_GROUP, QUEUE, CONTROL, 25, 4096, N) \
	/* How old: caller, u64 id after which to go on, str selection. \
	 * Answered by CTL_QUEUE_AGES, CTL_QUEUE_END. */ \
	X(CTL_QUEUE_AGE, CONTROL, QUEUE, 16, 9400, N) \
	/* str relay, AGE_BUCKETS times u32 messages */ \
	X(CTL_QUEUE_AGES, QUEUE, CONTROL, 42, 2048, N) \
	/* The octets: caller, u64 id, u64 offset. Answered by \
	 * CTL_QUEUE_OCTETS, CTL_QUEUE_END with the next offset (0: all). */ \
	X(CTL_QUEUE_CAT, CONTROL, QUEUE, 22, 310, N) \
	/* bytes */ \
	X(CTL_QUEUE_OCTETS, QUEUE, CONTROL, 2, IPC_PAYLOAD_MAX, N) \
	/* Its history: caller, u64 id. Answered by CTL_QUEUE_EVENT, \
	 * CTL_QUEUE_END. */ \
	X(CTL_QUEUE_LOG, CONTROL, QUEUE, 14, 300, N) \
	/* u64 time (seconds), str event, str text */ \
	X(CTL_QUEUE_EVENT, QUEUE, CONTROL, 12, 2048, N) \
	/* For mail still to come: caller, u8 enum rule_action, u32 seconds \
	 * (0: until removed), str reason, str selection (user, tenant, from, \
	 * to, domain, relay, size). CTL_QUEUE_END: its number as the \
	 * place. */ \
	X(CTL_RULE_ADD, CONTROL, QUEUE, 15, 9800, N) \
	/* caller, u32 number (0: all) */ \
	X(CTL_RULE_REMOVE, CONTROL, QUEUE, 10, 300, N) \
	/* caller. Answered by CTL_RULE, CTL_QUEUE_END. */ \
	X(CTL_RULES, CONTROL, QUEUE, 6, 300, N) \
	/* u32 number, u8 enum rule_action, u32 seconds left (0: no end), u32 \
	 * uid who made it, u64 since (seconds), u64 messages it met, str \
	 * reason, str selection */ \
	X(CTL_RULE, QUEUE, CONTROL, 33, 10400, N) \
	/* caller, u8 1 pause or 0 resume, u8 enum pause_kind, u32 seconds (0: \
	 * until resumed), str name ("": accept, or every relay) */ \
	X(CTL_PAUSE, CONTROL, QUEUE, 14, 1400, N) \
	/* caller. Answered by CTL_PAUSED, CTL_QUEUE_END. */ \
	X(CTL_PAUSES, CONTROL, QUEUE, 6, 300, N) \
	/* u8 enum pause_kind, u32 seconds left (0: no end), u32 uid, u64 \
	 * since (seconds), str name */ \
	X(CTL_PAUSED, QUEUE, CONTROL, 19, 1400, N) \
	/* What is used of limits: caller, u32 place at which to go on (0: \
	 * start), u16 at most, str user ("": all). Answered by CTL_LIMIT, \
	 * then CTL_QUEUE_END. */ \
	X(CTL_LIMITS, CONTROL, QUEUE, 14, 1400, N) \
	/* caller, str user, str tenant (one of them): nothing counts as used \
	 * any more, of the user or of the tenant as such. Answered by \
	 * CTL_QUEUE_END. */ \
	X(CTL_LIMITS_RESET, CONTROL, QUEUE, 11, 1400, N) \
	/* u8 kind (1 credential, 2 messages, 3 recipients, 4 bytes, 5 to 7 \
	 * those of a tenant as such: its user is ""), str \
	 * tenant (credential: auth block), str user, str label, u64 used, u64 \
	 * limit, u32 seconds of its period, u64 seconds until one is free */ \
	X(CTL_LIMIT, QUEUE, CONTROL, 35, 1400, N) \
	/* u64 message id, u64 time, u64 size, str user, str tenant, str from, \
	 * u32 recipients in all, u8 MT-PRIORITY + 9, u64 by when (seconds, 0: \
	 * none), u8 1: and returned if not; recipients follow */ \
	X(CTL_QUEUE_MESSAGE, QUEUE, CONTROL, 44, 2048, N) \
	/* str to, u8 state (0 waiting, 1 in flight, 2 done, 3 failed, 4 \
	 * held, 5 future), u32 tries, u64 next attempt (seconds), str last \
	 * reply, str relay */ \
	X(CTL_QUEUE_RCPT, QUEUE, CONTROL, 19, 8192, N) \
	/* u8 status (0 ok, 1 error, 4 denied, 5 no match), u32 matched, \
	 * u64 id to go on after (0: the list is complete), str reason */ \
	X(CTL_QUEUE_END, QUEUE, CONTROL, 15, 1024, N) \
	/* caller, u64 epoch and u64 session after which to go on (0 and 0: \
	 * start), u16 at most. CTL_QUEUE_END says 1 when there are more. */ \
	X(CTL_QUEUE_USERS, CONTROL, QUEUE, 24, 300, N) \
	/* u64 epoch, u64 session, str user, str tenant, str auth block, str \
	 * mechanism, str client, str label, u64 since (seconds), u8 flags \
	 * (GRANT_*) */ \
	X(CTL_QUEUE_USER, QUEUE, CONTROL, 37, 4096, N) \
	/* What would become of a message? caller, str user, str auth block, \
	 * u8 flags (GRANT_*), str reverse-path, str forward-path */ \
	X(CTL_QUEUE_TEST, CONTROL, QUEUE, 15, 4096, N) \
	/* str name, str value: one thing found out by a test */ \
	X(CTL_QUEUE_FACT, QUEUE, CONTROL, 4, 2048, N) \
	/* --- control and auth; sid: request. Each begins with the caller, \
	 * as those to the queue --- */ \
	/* caller, u64 place after which to go on (0: start) */ \
	X(CTL_AUTH_BANS, CONTROL, AUTH, 14, 300, N) \
	/* caller, str network or address, u32 seconds (0: until taken \
	 * back) */ \
	X(CTL_AUTH_BAN, CONTROL, AUTH, 12, 400, N) \
	/* caller, str network or address ("": all) */ \
	X(CTL_AUTH_UNBAN, CONTROL, AUTH, 8, 400, N) \
	/* caller, str user ("": all): forget right passwords */ \
	X(CTL_AUTH_FLUSH, CONTROL, AUTH, 8, 600, N) \
	/* caller, u64 place after which to go on (0: start) */ \
	X(CTL_AUTH_GRANTS, CONTROL, AUTH, 14, 300, N) \
	/* caller, str address, str user, str auth block ("": the only one \
	 * there is), u32 seconds */ \
	X(CTL_AUTH_GRANT, CONTROL, AUTH, 16, 1024, N) \
	/* caller, str address */ \
	X(CTL_AUTH_UNGRANT, CONTROL, AUTH, 8, 400, N) \
	/* caller, str user, str auth block or PAM service ("": the only one \
	 * there is), str address ("" none), bytes password */ \
	X(CTL_AUTH_TEST, CONTROL, AUTH, 16, 2400, N) \
	/* What would become of a login? caller, str address, str user, str \
	 * auth block ("": the only one there is) */ \
	X(CTL_AUTH_SESSION, CONTROL, AUTH, 12, 1024, N) \
	/* str network, u32 seconds left (0: until taken back), u8 by msactl \
	 * (1) or for failures (0), u32 failures */ \
	X(CTL_AUTH_BANNED, AUTH, CONTROL, 11, 200, N) \
	/* A user refused where he is not known: str user, str auth block, \
	 * u32 failures, u32 tries refused */ \
	X(CTL_AUTH_LOCKED, AUTH, CONTROL, 12, 400, N) \
	/* str address, str user, str auth block, u32 seconds left, u32 \
	 * sessions */ \
	X(CTL_AUTH_GRANTED, AUTH, CONTROL, 14, 1024, N) \
	/* str name, str value: one thing found out by a test */ \
	X(CTL_AUTH_FACT, AUTH, CONTROL, 4, 2048, N) \
	/* u8 status (as CTL_QUEUE_END), u32 matched, u64 place to go on after \
	 * (0: the list is complete), str reason */ \
	X(CTL_AUTH_END, AUTH, CONTROL, 15, 1024, N)

enum ipc_type {
	IPC_NONE = 0,
#define X(name, from, to, min, max, fd)	IPC_##name,
	IPC_TABLE(X)
#undef X
	IPC_TYPE_MAX
};

const char *ipc_role_name(enum ipc_role);
const char *ipc_type_name(unsigned int);

#endif
