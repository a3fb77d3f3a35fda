# Every command sets up what it needs. Builds read the checked queries in .sqlx and need no database.

.PHONY: demo serve test check bench wasm sqlx schema
export SQLX_OFFLINE ?= true
BENCH = --manifest-path bench/peers/Cargo.toml

demo:                 ## plays the main job end to end on this machine and prints the money story
	@deploy/setup.sh postgres cc
	cargo run -q -p amana-gateway -- demo

serve:                ## the same stack, left running
	@deploy/setup.sh postgres cc
	cargo run -q -p amana-gateway -- serve --embedded

test:                 ## everything
	@deploy/setup.sh postgres cc python hledger beancount
	cargo test --workspace

check:                ## format, lints as errors, the committed Wasm, tests (the house's law among them)
	@deploy/setup.sh postgres cc python wasm hledger beancount
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo run -q -p amana-contract-build -- --check
	cargo test --workspace

bench:                ## transfers posted a second beside plain rows and peers; SHORT=1: a short table; ONLY=empty, ONLY=reading: a part; ONLY=escrows: escrows a second alone
	@deploy/setup.sh postgres cc
	$(if $(filter escrows,$(ONLY)),,cargo build -q --release $(BENCH))
	$(if $(filter escrows,$(ONLY)),,deploy/with-postgres.sh --durable cargo run -q --release $(BENCH) -- --json bench/peers/results.jsonl \
		$(if $(SHORT),--short) $(if $(ONLY),--only $(ONLY)) $(if $(SCENE),--scene $(SCENE)) \
		$(if $(DOCS),--write-docs) $(if $(POSTINGS),--postings $(POSTINGS)))
	$(if $(filter-out escrows,$(ONLY)),,cargo run -q -p amana-tests --bin escrows)

wasm:                 ## builds the contract and what others rely on: Wasm, hash, interface
	@deploy/setup.sh cc wasm
	cargo run -q -p amana-contract-build

sqlx:                 ## writes .sqlx after a query or a migration changed
	@deploy/setup.sh postgres cc
	deploy/with-postgres.sh deploy/sqlx.sh

schema:               ## writes migrations/schema.sql after a migration changed
	@deploy/setup.sh postgres cc
	cargo run -q -p amana-tests --bin schema > migrations/schema.sql.new
	mv migrations/schema.sql.new migrations/schema.sql
