#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=prometheus,prometheus-node-exporter,jq,curl
# The dashboard and the alerts of contrib/: a real Prometheus reads the service's metrics through a real node_exporter, and every query
# finds something there; each alert is raised by what it is for, and by nothing else.
# shellcheck disable=SC2317  # functions are called by wait_until and tap_true
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=test/integration/service.sh
. "$ROOT/test/integration/service.sh"
PLAY=$(dirname "$MLS_PROGRAM")/../test/dns-play
DASHBOARD=$ROOT/contrib/grafana/maillogsentinel.json RULES=$ROOT/contrib/prometheus/maillogsentinel.rules.yml
for program in promtool prometheus prometheus-node-exporter jq curl; do
	command -v $program >/dev/null || tap_skip_all "no $program"
done

# ---- the alerts --------------------------------------------------------------------------------
tap_true "the rules are as Prometheus wants them" promtool check rules "$RULES"
cp "$RULES" "$WORK/rules.yml"
cp "$ROOT/test/integration/dashboard-alerts.yml" "$WORK/"
(cd "$WORK" && promtool test rules dashboard-alerts.yml) >"$WORK/out" 2>&1
tap_is "$?" 0 "each alert is raised by what it is for" || tap_note <"$WORK/out"
tap_is "$(sed -n 's/ *- alert: //p' "$RULES" | sort | tr '\n' ' ')" \
	"$(sed -n 's/.*alertname: \([A-Za-z]*\).*/\1/p' "$WORK/dashboard-alerts.yml" | sort -u | tr '\n' ' ')" "which is tried of all of them"

# ---- the dashboard -----------------------------------------------------------------------------
tap_none "no two panels have the same number or place, and all have their data source" "$(jq -r '
	([.panels[].id] | group_by(.)[] | select(length > 1) | "panel \(.[0]) is there twice"),
	(.panels[] | select(.type != "row" and .datasource.uid != "${datasource}") | "\(.title): no data source"),
	([.panels[].gridPos | [range(.x; .x + .w) as $x | range(.y; .y + .h) as $y | "\($x)/\($y)"]] | flatten |
		group_by(.)[] | select(length > 1) | "place \(.[0]) has two panels"),
	(.panels[].gridPos | select(.x + .w > 24) | "a panel is too far to the right")' "$DASHBOARD" 2>&1)"

mkdir -p "$WORK/csv" "$WORK/state" "$WORK/collector" "$WORK/prometheus"
"$PLAY" answer >"$WORK/address" &
names=$!
stop_names() { kill "$names"; wait "$names"; } 2>/dev/null
tap_defer stop_names
wait_until 10 test -s "$WORK/address"
printf '203.0.112.0,203.0.112.255,DE\n' >"$WORK/country.csv"
cat >"$WORK/conf" <<X
paths: { working_dir = "$WORK/csv"; state_dir = "$WORK/state"; mail_log = "$WORK/mail.log"; };
schedule: { ip_update_schedule = "2099-01-01"; report_schedule = "2099-01-02"; sql_export_schedule = "2099-01-03"; sql_import_schedule = "2099-01-03"; };
geolocation: { country_db_path = "$WORK/country.csv"; };
dns: { servers = "$(cat "$WORK/address")"; };
metrics: { textfile = "$WORK/collector/maillogsentinel.prom"; };
X
line one >"$WORK/mail.log"
start
wait_until 20 test -s "$WORK/collector/maillogsentinel.prom"

# A port that is free now; another program may be faster.
free_port() {
	local port

	while port=$((20000 + RANDOM % 12000)); (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
	echo $port
}
exporter_port=$(free_port) port=$(free_port)
prometheus-node-exporter --collector.disable-defaults --collector.textfile --collector.textfile.directory="$WORK/collector" \
	--web.listen-address="127.0.0.1:$exporter_port" 2>"$WORK/exporter.err" &
exporter=$!
cat >"$WORK/prometheus.yml" <<X
global: { scrape_interval: 250ms, evaluation_interval: 250ms }
rule_files: [ "$RULES" ]
scrape_configs: [ { job_name: node, static_configs: [ { targets: [ "127.0.0.1:$exporter_port" ] } ] } ]
X
prometheus --config.file="$WORK/prometheus.yml" --storage.tsdb.path="$WORK/prometheus" --web.listen-address="127.0.0.1:$port" \
	--log.level=warn >"$WORK/prometheus.err" 2>&1 &
prometheus=$!
stop_both() { kill "$exporter" "$prometheus"; wait "$exporter" "$prometheus"; } 2>/dev/null
tap_defer stop_both

query() { curl -s -m 5 "http://127.0.0.1:$port/api/v1/query" --data-urlencode "query=$1"; }
# How many series a query finds; what is wrong with it.
found() { query "$1" | jq -r 'if .status == "success" then .data.result | length else .error end'; }
counted() { [ "$(query 'maillogsentinel_rows_total > 1 and rate(maillogsentinel_rows_total[10s]) > 0' | jq '.data.result | length')" = 1 ]; }
more() { line more >>"$WORK/mail.log"; counted; }
tap_true "Prometheus has the metrics" wait_until 30 more || tap_note "$(tail -n 5 "$WORK/prometheus.err" "$WORK/exporter.err")"
# As Grafana fills in its variables.
# shellcheck disable=SC2016
fill_in() { sed 's/\$__rate_interval/10s/g; s/\$__interval/10s/g; s/\$instance/.+/g'; }
mapfile -t queries < <(jq -r '.panels[] | select(.targets) | .targets[].expr' "$DASHBOARD" | fill_in)
tap_true "the dashboard has queries" [ ${#queries[@]} -gt 20 ]
tap_none "and each finds something" "$(for query in "${queries[@]}"; do
	# what did not happen yet has no sample
	case $query in *job_last_* | *sql_last_* | *sql_oldest_*) [[ $(found "$query") = 0 ]] && continue ;; *warnings_by_kind*) [[ $(found "$query") = 1 ]] && continue ;; esac
	count=$(found "$query")
	[[ $count =~ ^[1-9] ]] || echo "$query: $count"
done)"
tap_is "$(query "$(jq -r '.annotations.list[].expr' "$DASHBOARD" | fill_in)" | jq -r .status)" success "so does the annotation"
tap_is "$(query "$(jq -r '.panels[] | select(.title == "Service").targets[].expr' "$DASHBOARD" | fill_in)" | jq -r '.data.result[].value[1]')" 1 \
	"the service is up"
# labels that are shown
tap_none "every label that is shown is there" "$(jq -r '.panels[] | select(.targets) | .targets[] | select(.legendFormat != "") | [.legendFormat, .expr] | @tsv' "$DASHBOARD" |
	while IFS=$'\t' read -r legend expr; do
		for label in $(grep -oE '\{\{[a-z]+\}\}' <<<"$legend" | tr -d '{}'); do
			[ "$(query "$(fill_in <<<"$expr")" | jq -r "[.data.result[].metric | has(\"$label\")] | all")" = true ] || echo "$expr: $label"
		done
	done)"
tap_is "$(curl -s "http://127.0.0.1:$port/api/v1/rules" | jq -r '[.data.groups[].rules[] | select(.health == "err")] | length')" 0 "no rule fails"
stop
down() { [ "$(query 'ALERTS{alertname="MailLogSentinelDown"}' | jq '.data.result | length')" = 1 ]; }
tap_true "the service is stopped: the alert begins" wait_until 20 down
tap_done
