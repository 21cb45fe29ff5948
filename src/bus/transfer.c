// SPDX-License-Identifier: GPL-3.0-or-later
#include "bus/transfer.h"

#include <pthread.h>

#define CONNECT_SECONDS 10L

static void start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

int transfer_new(CURL **ret, const char *url, long seconds, char told[CURL_ERROR_SIZE])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_curl);
    CURL *easy = curl_easy_init();
    FAIL_IF(!easy, ERR_NOMEM, "a transfer");
    told[0] = '\0';
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, seconds);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, told);
    *ret = easy;
    return 0;
}

void transfer_free(CURL **easy)
{
    curl_easy_cleanup(*easy);
    *easy = NULL;
}

void transfer_list_free(struct curl_slist **list)
{
    curl_slist_free_all(*list);
    *list = NULL;
}
