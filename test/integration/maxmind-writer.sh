#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# run: packages=libmaxmind-db-writer-perl,libmaxmind-db-reader-perl
# MMDB files by MaxMind's own writer (aliases of the IPv4 part, reserved networks, every record size), asked through
# `lookup`: the same answers as from MaxMind's own reader, and none taken for damaged.
# shellcheck source=test/tap.sh
. "$(dirname "$0")/../tap.sh"

perl -MMaxMind::DB::Writer::Tree -MMaxMind::DB::Reader -e 1 2>/dev/null ||
	tap_skip_all "needs libmaxmind-db-writer-perl and libmaxmind-db-reader-perl"

# country-VERSION-SIZE.mmdb, asn-VERSION-SIZE.mmdb, and in answers-VERSION-SIZE what `lookup --json` has to say
cat >"$WORK/make.pl" <<'X'
use strict;
use warnings;
use MaxMind::DB::Reader;
use MaxMind::DB::Writer::Tree;

my ($directory, $seed) = @ARGV;
srand $seed;
my %types = (
	continent => 'map', country => 'map', registered_country => 'map', names => 'map',
	code => 'utf8_string', iso_code => 'utf8_string', en => 'utf8_string', geoname_id => 'uint32',
	is_in_european_union => 'boolean',
	autonomous_system_number => 'uint32', autonomous_system_organization => 'utf8_string',
);
my @codes = qw(US DE FR JP BR GB);
sub insert {
	my ($trees, $network, $n) = @_;
	my $code = $codes[$n % @codes];
	# as in the real ones, some places have a continent only
	$trees->{country}->insert_network($network, $n % 17 == 0 ? { continent => { code => 'EU', geoname_id => 6255148 } } : {
		country => { iso_code => $code, geoname_id => $n, names => { en => "Country $code" } },
		registered_country => { iso_code => 'XX', is_in_european_union => 1 },
	}) if $n % 7;
	$trees->{asn}->insert_network($network, {
		autonomous_system_number => 64500 + $n,
		$n % 5 ? (autonomous_system_organization => "Organisation $n") : (),
	}) if $n % 6;
}
sub json { defined $_[0] ? $_[0] =~ /^\d+$/ ? $_[0] : "\"$_[0]\"" : 'null' }
sub make {
	my ($version, $size) = @_;
	my %trees;
	for my $kind (qw(country asn)) {
		$trees{$kind} = MaxMind::DB::Writer::Tree->new(
			ip_version => $version, record_size => $size, database_type => "GeoLite2-$kind",
			languages => ['en', 'de'], description => { en => 'made by a test', de => 'von einem Test' },
			map_key_type_callback => sub { $types{ $_[0] } }, remove_reserved_networks => 1,
			$version == 6 ? (alias_ipv6_to_ipv4 => 1) : (),
		);
	}
	my @addresses;
	for my $n (1 .. 400) {
		my $v4 = join '.', 1 + int rand 222, map { int rand 256 } 1 .. 3;
		my $bits = 10 + int rand 23;
		insert(\%trees, ($version == 6 ? "::$v4/" . ($bits + 96) : "$v4/$bits"), $n);
		push @addresses, $v4, join('.', 1 + int rand 222, map { int rand 256 } 1 .. 3);
		next if $version == 4;
		my $v6 = sprintf '2%03x:%x:%x:%x:%x::%x', 0x400 + rand 0xb00, map { 1 + rand 65000 } 1 .. 5;
		insert(\%trees, "$v6/" . (20 + int rand 109), 400 + $n);
		push @addresses, $v6, ($v6 =~ s/:[^:]*$/:7777/r);
	}
	my %readers;
	for my $kind (keys %trees) {
		my $file = "$directory/$kind-$version-$size.mmdb";
		open my $fh, '>:raw', $file or die "$file: $!";
		$trees{$kind}->write_tree($fh);
		close $fh or die "$file: $!";
		$readers{$kind} = MaxMind::DB::Reader->new(file => $file);
	}
	open my $out, '>', "$directory/answers-$version-$size" or die $!;
	for my $ip (@addresses) {
		my $country = $readers{country}->record_for_address($ip);
		my $asn = $readers{asn}->record_for_address($ip);
		printf $out "{\"ip\":\"%s\",\"country_code\":%s,\"asn\":%s,\"aso\":%s}\n", $ip, json($country->{country}{iso_code}),
			json($asn->{autonomous_system_number}), json($asn->{autonomous_system_organization});
	}
	close $out or die $!;
}
for my $size (24, 28, 32) { make($_, $size) for 4, 6 }
X

tap_true "MaxMind's writer and reader" perl "$WORK/make.pl" "$WORK" "$MLS_SEED"
for version in 4 6; do
	for size in 24 28 32; do
		name="$version-$size"
		cat >"$WORK/conf" <<X
geolocation: { country_db_path = "$WORK/country-$name.mmdb"; };
ASN_ASO: { asn_db_path = "$WORK/asn-$name.mmdb"; };
X
		sed 's/^{"ip":"\([^"]*\)".*/\1/' "$WORK/answers-$name" | xargs "$MLS_PROGRAM" -c "$WORK/conf" lookup --json \
			>"$WORK/got" 2>&1
		tap_true "there is something to find" test "$(grep -c '"asn":[0-9]' "$WORK/answers-$name")" -gt 300
		tap_none "IPv$version tree, records of $size bits: all answers are MaxMind's" \
			"$(diff "$WORK/answers-$name" "$WORK/got")"
	done
done
tap_done
