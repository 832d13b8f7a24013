#ifndef COMMON_CONF_H
#define COMMON_CONF_H

#include <sys/queue.h>
#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/conf_bounce.h"
#include "common/conf_ext.h"
#include "common/conf_header.h"
#include "common/conf_identity.h"
#include "common/conf_limits.h"
#include "common/conf_login.h"
#include "common/conf_pool.h"
#include "common/conf_rates.h"
#include "common/conf_tenant.h"
#include "common/network.h"
#include "common/slice.h"

/*
 * The configuration, parsed by conf.y from msad.conf(5) in msad itself and
 * from the canonical text in each child: one grammar, one form. Strings are
 * NUL-terminated and owned by the struct conf; conf_free() frees all.
 * Sizes are octets, times are seconds.
 */

#define CONF_MECH_PLAIN		0x01
#define CONF_MECH_LOGIN		0x02
#define CONF_MECH_SCRAM_SHA1	0x04
#define CONF_MECH_SCRAM_SHA1_PLUS 0x08
#define CONF_MECH_SCRAM_SHA256	0x10
#define CONF_MECH_SCRAM_SHA256_PLUS 0x20
#define CONF_MECH_OAUTHBEARER	0x40
#define CONF_MECH_XOAUTH2	0x80
#define CONF_MECH_EXTERNAL	0x100

/* Seconds that a right password is remembered. */
#define CONF_CACHE_DEFAULT	60

struct conf_pki {
	TAILQ_ENTRY(conf_pki)	 entry;
	char			*name;
	char			*cert;		/* path */
	char			*key;		/* path */
};

struct conf_auth {
	TAILQ_ENTRY(conf_auth)	 entry;
	char			*name;
	char			*pam_service;	/* NULL: passwd alone */
	char			*passwd;	/* path of verifiers; or NULL */
	unsigned int		 pam_limit;	/* workers; 0: not given */
	bool			 expired_hide;	/* expired-password hide */
	unsigned int		 mechs;		/* CONF_MECH_* */
	unsigned int		 cache;		/* seconds; 0: off */
	char			*realm;
	const char		*tenant;	/* its name; or NULL */
	struct conf_oauth	 oauth;
	struct conf_clients	 clients;
};

/* A row of an inline table: a key, or a key with values. */
struct conf_row {
	TAILQ_ENTRY(conf_row)	 entry;
	char			*key;
	char			*value;		/* what follows the colon */
};

/* Tables that databases serve. */
#define CONF_REMOTE_MAX		16

/* What serves a table; what is asked of a database stands with it. */
enum conf_table_kind {
	CONF_TABLE_ROWS,	/* inline, or a file where there is a path */
	CONF_TABLE_SQLITE,	/* path: the database */
	CONF_TABLE_LDAP
};

struct conf_table {
	TAILQ_ENTRY(conf_table)	 entry;
	char			*name;
	enum conf_table_kind	 kind;
	char			*path;		/* NULL: inline, or ldap */
	char			*query;		/* sqlite */
	char			*url;		/* ldap: as it was written */
	struct sockaddr_storage	 addr;		/* ldap: where that is */
	socklen_t		 addrlen;
	char			*base;
	char			*filter;	/* with %u in it */
	char			*attribute;
	char			*bind_dn;	/* or NULL */
	char			*password_file;	/* path; or NULL */
	bool			 secret;	/* a relay's credentials */
	bool			 clients;	/* of certificates: auth's */
	const char		*tenant;	/* its name; or NULL */
	TAILQ_HEAD(, conf_row)	 rows;		/* inline */
};

enum conf_relay_kind { CONF_RELAY_HOST, CONF_RELAY_MAILDIR };
enum conf_tls { CONF_TLS_NONE, CONF_TLS_STARTTLS, CONF_TLS_IMPLICIT };

#define CONF_RETRY_MAX	32

struct conf_relay {
	TAILQ_ENTRY(conf_relay)	 entry;
	unsigned int		 index;		/* place in the text */
	char			*name;
	const char		*tenant;	/* its name; or NULL */
	enum conf_relay_kind	 kind;
	char			*host;		/* name or numeric address */
	uint16_t		 port;		/* 25; starttls 587; tls 465 */
	enum conf_tls		 tls;
	bool			 verify;	/* certificate chain and name */
	char			*ca;		/* path; NULL: the system's */
	char			*helo;		/* or NULL: hostname */
	char			*auth_table;	/* or NULL */
	char			*auth_label;
	char			*maildir;	/* path */
	/* Connections over all workers; 0: the default, 20. */
	unsigned int		 concurrency;
	/* Jobs of one tenant or user; 0: no such bound. */
	unsigned int		 per_tenant, per_user;
	unsigned int		 retry[CONF_RETRY_MAX];	/* the last repeats */
	unsigned int		 nretry;	/* 0: default schedule */
	unsigned int		 expire;	/* 0: default 5 days */
	unsigned int		 warn;		/* 0: default 4 hours */
};

/* Versions of the PROXY protocol that a listener expects. */
#define CONF_PROXY_V1		0x01
#define CONF_PROXY_V2		0x02

enum conf_listen_tls { CONF_LISTEN_STARTTLS, CONF_LISTEN_TLS };

struct conf_listener {
	TAILQ_ENTRY(conf_listener) entry;
	unsigned int		 index;		/* place in the text */
	struct sockaddr_storage	 addr;
	socklen_t		 addrlen;
	char			*address;	/* numeric */
	uint16_t		 port;
	enum conf_listen_tls	 tls;
	bool			 optional;	/* starttls optional */
	bool			 insecure;	/* so not on loopback alone */
	unsigned int		 proxy;		/* CONF_PROXY_*; 0: none */
	bool			 grants;	/* grants allow */
	char			*pki;
	char			*auth;
};

struct conf_network {
	TAILQ_ENTRY(conf_network) entry;
	struct network		 net;
};

TAILQ_HEAD(conf_networks, conf_network);

enum conf_sender_kind { CONF_SENDER_OWN, CONF_SENDER_ANY, CONF_SENDER_TABLE };

struct conf_sender {
	TAILQ_ENTRY(conf_sender) entry;
	enum conf_sender_kind	 kind;
	char			*table;
};

/* Logins that a rule is not for, by what they were proved with. */
#define CONF_EXCEPT_EXTERNAL	0x01	/* what a front-end saw (GRANT_SEEN) */
#define CONF_EXCEPT_ADDRESS	0x02	/* an address alone (GRANT_ADDRESS) */

/* Characters that may separate a sub-address. */
#define CONF_SEPARATORS_MAX	7

struct conf_match {
	TAILQ_ENTRY(conf_match)	 entry;
	TAILQ_HEAD(, conf_sender) senders;
	enum conf_mismatch	 mismatch;	/* from-mismatch */
	int			 priority;	/* highest to be asked for */
	bool			 local;		/* from local, else from auth */
	unsigned int		 except;	/* CONF_EXCEPT_* */
	char			*user;		/* local socket; or NULL */
	char			*relay;
	const char		*tenant;	/* its name; or NULL */
	int			 line;
};

struct conf {
	char			*hostname;
	char			*spool;		/* queue { path P } */
	char			*socket;	/* control socket PATH */
	char			*socket_group;	/* or NULL */
	char			*local;		/* listen on socket; or NULL */
	unsigned int		 frontend_workers;	/* 0: one per core */
	unsigned int		 relay_workers;		/* 0: one per core */
	int			 log_level;	/* LOG_*; default LOG_INFO */
	uint64_t		 message_size;	/* limits.size */
	struct conf_limits	 limits;	/* limit session */
	struct conf_login	 login;		/* limit login */
	struct conf_rates	 user_rates;	/* limit user */
	struct conf_rates	 default_rates;	/* limit default */
	struct conf_pool	 pool;		/* auth workers */
	struct conf_ext		 ext;		/* future-release and such */
	struct conf_bounce	 bounce;	/* of reports */
	bool			 early_reject;	/* early-talker reject */
	struct conf_networks	 proxies;	/* proxy from */
	struct conf_networks	 barred;	/* bar from */
	struct conf_networks	 trusted;	/* trust from */
	enum conf_mismatch	 mismatch;	/* of rules without one */
	struct conf_appends	 appends;	/* append-domain */
	char			*subaddress;	/* separators, or NULL */
	bool			 fold_local;	/* local-part ignore-case */
	bool			 auth_results;	/* add-auth-results */
	bool			 literals_refused;	/* address-literals */
	bool			 client_shown;	/* received-privacy off */
	bool			 convert_off;	/* convert off, else 7bit */
	TAILQ_HEAD(, conf_pki)	 pkis;
	TAILQ_HEAD(conf_auths, conf_auth) auths;
	TAILQ_HEAD(conf_tables, conf_table) tables;
	TAILQ_HEAD(conf_relays, conf_relay) relays;
	TAILQ_HEAD(, conf_listener) listeners;
	struct conf_matches	 matches;	/* those of no tenant */
	struct conf_tenants	 tenants;
	struct conf_tenant_tree	 tenants_by_name;
};

/* -D NAME=VALUE of the command line. */
struct conf_macro {
	const char	*name;
	const char	*value;
};

/*
 * Parse the file at path with its includes. Errors go to errors, one a line,
 * as "file:line: message". Returns NULL when there was one. Checks all that
 * needs no other file: names that refer to nothing, doubles, ranges. Files
 * named by the text are not opened (the parent does, with their modes).
 */
struct conf *conf_parse_file(const char *path, const struct conf_macro *,
    size_t nmacros, FILE *errors);
/* The same from memory; name stands for the file in errors. No includes. */
struct conf *conf_parse_text(const char *text, size_t len, const char *name,
    FILE *errors);
/*
 * The canonical text, malloc'd: conf_parse_text() of it gives an equal struct.
 */
char	*conf_print(const struct conf *);
void	 conf_free(struct conf *);

struct conf_pki *conf_pki_find(const struct conf *, const char *name);
struct conf_auth *conf_auth_find(const struct conf *, const char *name);
struct conf_table *conf_table_find(const struct conf *, const char *name);
struct conf_relay *conf_relay_find(const struct conf *, const char *name);
struct conf_listener *conf_listener_find(const struct conf *,
    unsigned int index);

#endif
