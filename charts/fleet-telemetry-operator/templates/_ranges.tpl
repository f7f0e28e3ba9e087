{{- /*
Why a text is no address range; empty if it is one. Argument: the text.
*/}}
{{- define "fto.rangeProblem" -}}
{{- $parts := splitList "/" . -}}
{{- $address := first $parts -}}
{{- $length := last $parts | int -}}
{{- $octet := "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])" -}}
{{- if not (regexMatch "^[^/]+/(0|[1-9][0-9]{0,2})$" .) -}}
it has to be an address and the length of its prefix, such as 10.0.0.0/24
{{- else if contains ":" $address -}}
{{- if or (gt $length 128) (not (regexMatch "^(::|[0-9a-fA-F])[0-9a-fA-F:]*(::|[0-9a-fA-F])$|^::$" $address)) (regexMatch ":::|::.*::|[0-9a-fA-F]{5}" $address) (not (or (and (contains "::" $address) (le (regexFindAll "[^:]+" $address -1 | len) 7)) (regexMatch "^([^:]+:){7}[^:]+$" $address))) -}}
it is no IPv6 range
{{- else if eq $length 0 -}}
it contains every address
{{- else if include "fto.hasHostBits" (dict "address" $address "length" $length) -}}
the range begins at another address
{{- end -}}
{{- else if or (gt $length 32) (not (regexMatch (printf "^%s([.]%s){3}$" $octet $octet) $address)) -}}
it is no IPv4 range
{{- else if eq $length 0 -}}
it contains every address
{{- else -}}
{{- $number := 0 -}}
{{- range splitList "." $address -}}
{{- $number = add (mul $number 256) (int .) -}}
{{- end -}}
{{- $size := 1 -}}
{{- range until (sub 32 $length | int) -}}
{{- $size = mul $size 2 -}}
{{- end -}}
{{- with mod $number $size -}}
{{- $start := sub $number . -}}
{{- printf "the range begins at %d.%d.%d.%d" (div $start 16777216) (mod (div $start 65536) 256) (mod (div $start 256) 256) (mod $start 256) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /*
Whether an IPv6 address has bits beyond a prefix; empty if not. Argument: (dict "address" "2001:db8::"
"length" 32).
*/}}
{{- define "fto.hasHostBits" -}}
{{- $halves := splitList "::" .address -}}
{{- $left := regexFindAll "[^:]+" (first $halves) -1 -}}
{{- $right := gt (len $halves) 1 | ternary (regexFindAll "[^:]+" (last $halves) -1) list -}}
{{- $groups := $left -}}
{{- range until (sub 8 (add (len $left) (len $right)) | int) -}}
{{- $groups = append $groups "0" -}}
{{- end -}}
{{- $length := .length -}}
{{- $found := "" -}}
{{- range $at, $group := concat $groups $right -}}
{{- $size := 1 -}}
{{- range until (sub 16 (sub $length (mul 16 $at) | max 0 | min 16) | int) -}}
{{- $size = mul $size 2 -}}
{{- end -}}
{{- if mod (printf "0x%s" $group | int64) $size -}}
{{- $found = "true" -}}
{{- end -}}
{{- end -}}
{{- $found -}}
{{- end -}}

{{- /*
Why a text is no name server as the controller reads it; empty if it is one. Argument: the text.
*/}}
{{- define "fto.nameServerProblem" -}}
{{- $name := regexFind "^.*=" . -}}
{{- $where := trimPrefix $name . -}}
{{- $address := $where -}}
{{- $port := "53" -}}
{{- if regexMatch "^\\[[^]]*:[^]]*\\](:.*)?$" $where -}}
{{- $address = regexReplaceAll "^\\[(.*)\\].*$" $where "${1}" -}}
{{- $port = regexReplaceAll "^.*\\]:?" $where "" | default "53" -}}
{{- else if regexMatch "^[^:]*:[^:]*$" $where -}}
{{- $address = splitList ":" $where | first -}}
{{- $port = splitList ":" $where | last -}}
{{- end -}}
{{- if and $name (not (regexMatch "^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?=$" $name)) -}}
{{ trimSuffix "=" $name | quote }} is no name
{{- else if include "fto.rangeProblem" (printf "%s/%s" $address (contains ":" $address | ternary "128" "32")) -}}
{{ $address | quote }} is no IP address
{{- else if regexMatch "^(0[.]0[.]0[.]0|2(2[4-9]|3[0-9])[.].*|[fF]{2}[0-9a-fA-F]{2}:.*|[0:]+)$" $address -}}
{{ $address }} is the address of no server
{{- else if not (regexMatch "^[1-9][0-9]{0,4}$" $port) -}}
{{ $port | quote }} is no port
{{- else if gt (int $port) 65535 -}}
{{ $port | quote }} is no port
{{- end -}}
{{- end -}}
