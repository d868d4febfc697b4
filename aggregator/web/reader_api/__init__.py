"""The Google Reader API, as FreshRSS and Miniflux serve it: `/accounts/ClientLogin`, `/reader/api/0/...`.

A client signs in with the name of a reader and a token as password, and gets `NAME/TOKEN` as `Auth`. In every request
it sends `Authorization: GoogleLogin auth=NAME/TOKEN`, which RequestGuard checks like other tokens. Browsers never send
this header by themselves, so a page of another site cannot act for a reader, and `T` is not needed. A form may have the
value of `Auth` as `auth` or as `T` instead of the header, because Liferea 1.14 asks for texts without the header. Calls
that change subscriptions or folders need a token of scope admin.

A client files an item under a single subscription, named by `origin`. So each source is a subscription with the stories
that it founded, and STORIES has all other stories; a story seldom changes its subscription. Each subscription has an
address of its own, because clients confuse subscriptions with the same address. The label of a folder has every story
with an article of that folder. A reader cannot give stories a label with the name of a folder or of a saved query; if a
label got such a name, it is not shown.
"""
