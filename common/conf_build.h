#ifndef COMMON_CONF_BUILD_H
#define COMMON_CONF_BUILD_H

#include "common/conf.h"
#include "common/conf_lex.h"

/*
 * What the grammar's actions call: each function checks its words, reports
 * what is wrong with them and adds to the configuration being built.
 */

/* Words of a list in braces; lives in the lexer's arena. */
struct conf_list {
	struct conf_list	*next;
	struct conf_list	*last;		/* in the first item alone */
	const char		*text;		/* NULL: own or any */
	enum conf_sender_kind	 sender;	/* in a list of senders */
};

struct conf_build {
	struct conf		*conf;
	struct conf_lex		*lex;
	struct conf_ref		*refs;		/* names used, to be checked */
	const char		*last;		/* text of the last item */
	int			 last_item;	/* enum conf_item */
	unsigned int		 seen;		/* options of this statement */
	bool			 frontend_seen;	/* statements that stand once */
	bool			 relay_seen;
	bool			 level_seen;
	bool			 limits_done;	/* limit session */
	bool			 early_seen;
	bool			 convert_seen;
	bool			 literals_seen;
	bool			 privacy_seen;
	unsigned int		 limits_seen;	/* words of it */
	bool			 login_done;	/* limit login */
	unsigned int		 login_seen;	/* words of it */
	struct conf_rates	*rates;		/* limit user ...; or ours */
	const char		*rates_name;
	bool			 fold_seen;	/* local-part */
	unsigned int		 except;	/* of the rule under way */
	bool			 pool_done;	/* auth workers */
	unsigned int		 pool_seen;	/* words of it */
	const char		*mismatch;	/* of the rule under way */
	int			 line;		/* of it, and as it is said */
	int			 said_line;
	const char		*priority;	/* the same */
	bool			 bounce_reports; /* a word of bounce stands */
	int			 bounce_line;	/* where it does */
	const char		*bounce_file;
	enum conf_ext_kind	 ext_kind;	/* statement under way */
	unsigned int		 ext_done;	/* those that stand */
	unsigned int		 ext_seen;	/* words of this one */
	bool			 in_clients;	/* client-certificates { */
	unsigned int		 identity_seen;	/* words of it, or of oauth */
	unsigned int		 nappends;
	bool			 words_only;	/* no keywords in this block */
	unsigned int		 nnames;	/* of pkis, auths, tables ... */
	unsigned int		 nrelays;
	unsigned int		 nlisteners;
	unsigned int		 nmatches;
	unsigned int		 nnetworks;
	/* Under way. */
	struct conf_tenant	*tenant;	/* or NULL: within none */
	struct conf_pki		*pki;
	struct conf_auth	*auth;
	struct conf_table	*table;
	struct conf_relay	*relay;
	struct conf_listener	 listen;	/* strings in the arena */
	struct conf_list	*addresses;
};

/* Options that may stand once in their statement and are no strings. */
enum conf_option {
	OPT_MECH = 1 << 0, OPT_PORT = 1 << 1, OPT_TLS = 1 << 2,
	OPT_CONCURRENCY = 1 << 3, OPT_RETRY = 1 << 4, OPT_EXPIRE = 1 << 5,
	OPT_GRANTS = 1 << 28,
	OPT_WARN = 1 << 12, OPT_EXPIRED = 1 << 13, OPT_CACHE = 1 << 14,
	OPT_OAUTH = 1 << 15, OPT_CLIENTS = 1 << 16,
	OPT_PER_TENANT = 1 << 26, OPT_PER_USER = 1 << 27
};

/* Report an option that stands twice. word is its word in the grammar. */
void	 conf_build_once(struct conf_build *, enum conf_option,
	    const char *word);
/* Set a string that a configuration has once; what names it. */
void	 conf_build_set(struct conf_build *, char **slot, const char *value,
	    const char *what);
/* The same for a path, which must be absolute. */
void	 conf_build_path(struct conf_build *, char **slot, const char *value,
	    const char *what);
/*
 * A host name: letters, digits, '-', '.', '_' and the octets of extra, at
 * most 255 of them.
 */
void	 conf_build_hostname(struct conf_build *, char **slot,
	    const char *value, const char *what, const char *extra);
/* A number from min to max; min when it is not one (reported). */
unsigned int conf_build_number(struct conf_build *, const char *word,
	    unsigned int min, unsigned int max, const char *what);
void	 conf_build_workers(struct conf_build *, bool *seen,
	    unsigned int *slot, const char *word);
/* "limit session" begins; it may stand once. */
void	 conf_build_limits(struct conf_build *);
void	 conf_build_convert(struct conf_build *, const char *word);
void	 conf_build_early(struct conf_build *, const char *word);
/* Add networks to those of "proxy", "bar" or "trust from". */
void	 conf_build_networks(struct conf_build *, struct conf_networks *,
	    const struct conf_list *, const char *what);
void	 conf_build_proxy(struct conf_build *, unsigned int version,
	    const char *word);
void	 conf_build_level(struct conf_build *, const char *word);

/* A name that a statement begins with; malloc'd, whatever is wrong with it. */
char	*conf_build_name(struct conf_build *, const char *name,
	    const void *already, const char *what);
void	 conf_build_pki_begin(struct conf_build *, const char *name);
void	 conf_build_pki_end(struct conf_build *);
void	 conf_build_auth_begin(struct conf_build *, const char *name);
void	 conf_build_mech(struct conf_build *, const struct conf_list *);
/* "cache 60s" or "cache off". */
void	 conf_build_cache(struct conf_build *, const char *word);
void	 conf_build_expired(struct conf_build *, const char *word);
void	 conf_build_auth_end(struct conf_build *);
/* A table that names users of certificates: it must be inline. */
void	 conf_build_ref_users(struct conf_build *, const char *table);
/* A pki and an auth that are named here: they must be there. */
void	 conf_build_ref_listen(struct conf_build *, const char *pki,
	    const char *auth);
void	 conf_build_table_begin(struct conf_build *, const char *name);
void	 conf_build_row(struct conf_build *, const char *key,
	    const char *value);
void	 conf_build_relay_begin(struct conf_build *, const char *name);
void	 conf_build_retry(struct conf_build *, const struct conf_list *);
void	 conf_build_expire(struct conf_build *, const char *word);
void	 conf_build_warn(struct conf_build *, const char *word);
void	 conf_build_relay_auth(struct conf_build *, const char *table,
	    const char *label);
void	 conf_build_relay_end(struct conf_build *);
/* Listeners: conf_listen.c. */
void	 conf_build_listen_begin(struct conf_build *, struct conf_list *);
/* What was said of them so far, forgotten. */
void	 conf_build_listen_clear(struct conf_build *);
void	 conf_build_listen_end(struct conf_build *);
/* "grants allow" of a listener. */
void	 conf_build_grants(struct conf_build *, const char *word);
/* The socket of local programs; stands once. */
void	 conf_build_local(struct conf_build *, const char *path);
/* A rule begins: keeps its line. */
void	 conf_build_match_begin(struct conf_build *);
void	 conf_build_match(struct conf_build *, const struct conf_list *,
	    const char *relay);
/* A rule for the local socket; user NULL: every user. */
void	 conf_build_match_local(struct conf_build *, const char *user,
	    const struct conf_list *, const char *relay);

/* After the last statement: defaults, and names that refer to nothing. */
void	 conf_build_finish(struct conf_build *);

/* conf.y: parse what the lexer has; errors are counted there. */
void	 conf_grammar(struct conf_build *);

#endif
