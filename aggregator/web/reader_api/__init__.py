"""The Google Reader API, as FreshRSS and Miniflux serve it: `/accounts/ClientLogin`, `/reader/api/0/...`.

A client signs in with the name of a reader and a token as password, and gets `NAME/TOKEN` as `Auth`. It sends
that in every request as `Authorization: GoogleLogin auth=...`, which RequestGuard checks like other tokens.
Browsers never send this header by themselves, so a page of another site cannot act for a reader, and `T` is
not needed. Liferea 1.14 asks for texts without the header and sends `Auth` as `T`; a form may have it as `auth`,
too. Calls that change subscriptions or folders need a token of scope admin.

A client files an item under a single subscription, named by `origin`. So each source is a subscription, with
the stories that it founded, and STORIES has all others: a story seldom changes its subscription. Clients take
two subscriptions with one address for the same, so each address is its own. The label of a folder has every story
with an article of that folder. Folders and saved queries come before the labels that the reader gives to stories:
such a name is refused, and a label with it is not shown.
"""
