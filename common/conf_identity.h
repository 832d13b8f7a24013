#ifndef COMMON_CONF_IDENTITY_H
#define COMMON_CONF_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * What an auth block takes for a proof that others made: tokens of an identity
 * provider ("oauth"), certificates of an authority ("client-certificates").
 */
#define CONF_OAUTH_HOSTS_MAX	16
#define CONF_OAUTH_TEXT_MAX	500	/* octets of issuer, scope ... */

struct conf_oauth {
	char		*keys;		/* path of a JWKS; NULL: no tokens */
	char		*issuer;	/* iss, as it stands in tokens */
	char		*audience;	/* one of aud */
	char		*scope;		/* one of scope; or NULL */
	char		*claim;		/* names the user; NULL: email */
	char		*discovery;	/* openid-configuration; or NULL */
	char		*hosts[CONF_OAUTH_HOSTS_MAX];	/* besides hostname */
	unsigned int	 nhosts;
	uint16_t	 ports[CONF_OAUTH_HOSTS_MAX]; /* besides its own */
	unsigned int	 nports;
	bool		 local_part;	/* the login is without @realm */
};

enum conf_cert_user {
	CONF_CERT_EMAIL,	/* the one e-mail address (SAN) */
	CONF_CERT_NAME,		/* the one common name of the subject */
	CONF_CERT_TABLE
};

struct conf_clients {
	char		*ca;		/* path; NULL: none is asked for */
	char		*crl;		/* path; or NULL */
	char		*table;		/* inline: subject or address = user */
	enum conf_cert_user user;
	bool		 local_part;	/* of an address: without @realm */
};

/* Of their own; 0, or -1 without memory. */
int	 conf_oauth_copy(struct conf_oauth *, const struct conf_oauth *);
int	 conf_clients_copy(struct conf_clients *, const struct conf_clients *);
void	 conf_oauth_free(struct conf_oauth *);
void	 conf_clients_free(struct conf_clients *);

struct conf_build;
struct conf_auth;

/* "oauth {" and "client-certificates {" in an auth block begin. */
void	 conf_build_oauth(struct conf_build *);
void	 conf_build_clients(struct conf_build *);
/* "WORD TEXT", "WORD file:PATH", "WORD <TABLE>" in the one under way. */
void	 conf_build_identity_word(struct conf_build *, const char *word,
	    const char *text);
void	 conf_build_identity_file(struct conf_build *, const char *word,
	    const char *path);
void	 conf_build_identity_table(struct conf_build *, const char *word,
	    const char *table);
/* The auth block ends: is all there? */
void	 conf_identity_check(struct conf_build *, const struct conf_auth *);
/* As they stand in the canonical text; nothing where they are not given. */
void	 conf_identity_print(FILE *, const struct conf_auth *);
void	 conf_identity_free(struct conf_auth *);

#endif
