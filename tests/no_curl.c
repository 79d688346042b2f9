/* In place of libcurl, in tests. Debian's HDF5 is linked with it, to read files from Amazon S3, which srq never does.
 * With libcurl come another 25 libraries: loading them takes a third of the time in which srq starts. */
#include <stddef.h>

/* HDF5 calls the first of these before all others, and gives up if it fails. */
int curl_global_init(long flags);
void curl_global_cleanup(void);
void *curl_easy_init(void);
int curl_easy_setopt(void *handle, int option, ...);
int curl_easy_perform(void *handle);
void curl_easy_cleanup(void *handle);
void *curl_slist_append(void *list, const char *text);
void curl_slist_free_all(void *list);

enum { FAILED = 2 }; /* CURLE_FAILED_INIT */

int curl_global_init(long flags)
{
    (void)flags;
    return FAILED;
}

void curl_global_cleanup(void)
{
}

void *curl_easy_init(void)
{
    return NULL;
}

int curl_easy_setopt(void *handle, int option, ...)
{
    (void)handle, (void)option;
    return FAILED;
}

int curl_easy_perform(void *handle)
{
    (void)handle;
    return FAILED;
}

void curl_easy_cleanup(void *handle)
{
    (void)handle;
}

void *curl_slist_append(void *list, const char *text)
{
    (void)list, (void)text;
    return NULL;
}

void curl_slist_free_all(void *list)
{
    (void)list;
}
