#ifndef COMMON_CONF_HEADER_H
#define COMMON_CONF_HEADER_H

#include <sys/queue.h>

#include <stdio.h>

struct conf;
struct conf_build;
struct conf_list;
struct conf_match;

/* What happens to a From that the login may not use. */
enum conf_mismatch {
	CONF_MISMATCH_UNSET = 0,	/* while the text is being read */
	CONF_MISMATCH_REJECT,
	CONF_MISMATCH_ADD_SENDER,
	CONF_MISMATCH_REWRITE
};

/* append-domain: what addresses of this domain get behind it. */
struct conf_append {
	TAILQ_ENTRY(conf_append) entry;
	char			*label;		/* "": no domain at all */
	char			*domain;
};
TAILQ_HEAD(conf_appends, conf_append);

#define CONF_APPENDS_MAX	1000

/* from-mismatch WORD of the whole configuration. */
void	 conf_build_mismatch(struct conf_build *, const char *word);
/* The word of the match rule under way goes into the rule. */
void	 conf_build_match_mismatch(struct conf_build *, struct conf_match *);
/* append-domain [LABELS] DOMAIN; labels NULL: addresses without a domain. */
void	 conf_build_append(struct conf_build *, const struct conf_list *labels,
	    const char *domain);
/* Rules without a word of their own take that of the configuration. */
void	 conf_header_finish(struct conf_build *);
/* address-literals accept or refuse; received-privacy on or off. */
void	 conf_build_literals(struct conf_build *, const char *word);
void	 conf_build_privacy(struct conf_build *, const char *word);
/* add-auth-results. */
void	 conf_build_auth_results(struct conf_build *);
void	 conf_header_print(FILE *, const struct conf *);
/* The word, as it stands in a rule. */
const char *conf_mismatch_word(enum conf_mismatch);
void	 conf_header_free(struct conf *);
/* The domain to put behind label, or NULL. */
const char *conf_append_find(const struct conf_appends *, const char *label,
	    size_t len);

#endif
