/*
 * Any octets as configuration text: no crash, no leak; and what is accepted
 * has a canonical text that is accepted too and prints as itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf	*conf, *again;
	char		*text, *second;

	if (size > 65536)
		return 0;
	conf = conf_parse_text((const char *)data, size, "fuzz", NULL);
	if (conf == NULL)
		return 0;
	text = conf_print(conf);
	again = conf_parse_text(text, strlen(text), "canonical", NULL);
	if (again == NULL)
		abort();
	second = conf_print(again);
	if (strcmp(text, second) != 0)
		abort();
	free(text);
	free(second);
	conf_free(conf);
	conf_free(again);
	return 0;
}
