#ifndef COMMON_CONF_MECH_H
#define COMMON_CONF_MECH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/slice.h"

#define CONF_MECH_NAMES_MAX	256	/* octets of all names, with NUL */

struct conf_mech {
	unsigned int	 flag;		/* CONF_MECH_* */
	const char	*word;		/* in msad.conf(5) */
	const char	*name;		/* in EHLO */
	bool		 passwd;	/* needs verifiers in a passwd file */
};

/* All that there are, in the order of EHLO; ends with flag 0. */
extern const struct conf_mech conf_mechs[];

/* By word, by name (in any letter case), NULL: there is none. */
const struct conf_mech *conf_mech_word(const char *word);
const struct conf_mech *conf_mech_name(struct slice name);
/* " plain login", as it stands between the braces of mech. */
void	 conf_mech_print(FILE *, unsigned int mechs);
/* "SCRAM-SHA-256 PLAIN LOGIN" in buf of CONF_MECH_NAMES_MAX octets. */
const char *conf_mech_names(unsigned int mechs, char *buf);

#endif
