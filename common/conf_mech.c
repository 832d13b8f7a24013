/*
 * The SASL mechanisms by the words of msad.conf(5) and by their own names, in
 * one table for the grammar, the front-end's EHLO and msad-auth.
 *
 * The order is that of the EHLO list: stronger ones first, since some clients
 * take the first that they know.
 */

#include <string.h>
#include <strings.h>

#include "common/conf.h"
#include "common/conf_mech.h"

const struct conf_mech conf_mechs[] = {
	{ CONF_MECH_SCRAM_SHA256_PLUS, "scram-sha-256-plus",
	    "SCRAM-SHA-256-PLUS", true },
	{ CONF_MECH_SCRAM_SHA256, "scram-sha-256", "SCRAM-SHA-256", true },
	{ CONF_MECH_SCRAM_SHA1_PLUS, "scram-sha-1-plus", "SCRAM-SHA-1-PLUS",
	    true },
	{ CONF_MECH_SCRAM_SHA1, "scram-sha-1", "SCRAM-SHA-1", true },
	{ CONF_MECH_EXTERNAL, "external", "EXTERNAL", false },
	{ CONF_MECH_OAUTHBEARER, "oauthbearer", "OAUTHBEARER", false },
	{ CONF_MECH_XOAUTH2, "xoauth2", "XOAUTH2", false },
	{ CONF_MECH_PLAIN, "plain", "PLAIN", false },
	{ CONF_MECH_LOGIN, "login", "LOGIN", false },
	{ 0, NULL, NULL, false }
};

const struct conf_mech *
conf_mech_word(const char *word)
{
	const struct conf_mech	*m;

	for (m = conf_mechs; m->flag != 0; m++)
		if (strcmp(word, m->word) == 0)
			return m;
	return NULL;
}

const struct conf_mech *
conf_mech_name(struct slice name)
{
	const struct conf_mech	*m;

	for (m = conf_mechs; m->flag != 0; m++)
		if (slice_is_nocase(name, m->name))
			return m;
	return NULL;
}

void
conf_mech_print(FILE *f, unsigned int mechs)
{
	const struct conf_mech	*m;

	for (m = conf_mechs; m->flag != 0; m++)
		if (mechs & m->flag)
			fprintf(f, " %s", m->word);
}

const char *
conf_mech_names(unsigned int mechs, char *buf)
{
	const struct conf_mech	*m;

	buf[0] = '\0';
	for (m = conf_mechs; m->flag != 0; m++) {
		if ((mechs & m->flag) == 0)
			continue;
		if (buf[0] != '\0')
			strlcat(buf, " ", CONF_MECH_NAMES_MAX);
		strlcat(buf, m->name, CONF_MECH_NAMES_MAX);
	}
	return buf;
}
