-- Wishes about a book are of two kinds now: to write down a checkpoint, and to keep entries alive. One of
-- each kind is open at a time.
drop index chain.intent_one_anchor;
create unique index intent_one_of_book on chain.intent (book, (op ->> 'op')) where status = 'open';
