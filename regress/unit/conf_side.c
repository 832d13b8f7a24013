/* What tests of the configuration share: right text, and wrong text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/conf.h"
#include "regress/unit/conf_side.h"

struct conf *
parse(const char *text)
{
	struct conf	*conf;

	conf = conf_parse_text(text, strlen(text), "t", stderr);
	assert_non_null(conf);
	return conf;
}

void
refuse(const char *text, const char *want)
{
	FILE	*f;
	char	*got = NULL;
	size_t	 len;

	assert_non_null(f = open_memstream(&got, &len));
	assert_null(conf_parse_text(text, strlen(text), "t", f));
	fclose(f);
	assert_string_equal(got, want);
	free(got);
}
