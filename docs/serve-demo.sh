#!/usr/bin/env bash
# The whole flow of the service with curl, in a temporary folder: docs/serve-demo.sh [path of jianke]
set -euo pipefail
jianke=${1:-jianke}
samples=$(cd "$(dirname "${BASH_SOURCE[0]}")/../data/samples" && pwd)
folder=$(mktemp -d)
cd "$folder"
export JIANKE_ENVIRONMENT=development JIANKE_PORT=${JIANKE_PORT:-8765} JIANKE_ENGINE=fast JIANKE_LOG_LEVEL=WARNING JIANKE_COOKIE_SECURE=false
api=http://127.0.0.1:$JIANKE_PORT
json='Content-Type: application/json'
field() { grep -o "\"$1\": *\"[^\"]*" | head -n 1 | sed 's/.*"//'; }
step() { printf '\n—— %s\n' "$*"; }

step 建库，得到管理员的密码与密钥
"$jianke" init | tee init.txt
key=$(grep -o 'jk_.*' init.txt)
password=$(sed -n 's/^密码[　 ]*//p' init.txt)
auth="Authorization: Bearer $key"

step 启动
"$jianke" serve & server=$!
trap 'kill $server; wait $server 2>/dev/null || true; rm -rf "$folder"' EXIT
until curl -sf "$api/readyz"; do sleep 0.2; done

step 判定一条
curl -sf -H "$auth" -H "$json" -d '{"text": "六年级分数应用题，周日上午", "title": "思维课", "declared_category": "non_subject"}' "$api/v1/predict"

step 登记机构：已转非学科
institution=$(curl -sf -H "$auth" -H "$json" -d '{"name": "启蒙文化艺术有限公司", "credit_code": "91330702MA2EXAMP0G", "district": "330702",
  "licence_kind": "non_subject", "status": "converted_non_subject"}' "$api/v1/institutions" | tee /dev/stderr | field id)

step 上传目录
catalog=$(curl -sf -H "$auth" -H 'Idempotency-Key: demo-1' -F "file=@$samples/catalog.xlsx" -F "institution_id=$institution" "$api/v1/catalogs" | tee /dev/stderr | field id)

step 进度，直到完成
curl -sfN -H "$auth" "$api/v1/catalogs/$catalog/events"

step 状态冲突的第一条
item=$(curl -sf -H "$auth" "$api/v1/items?status_conflict=true&limit=1" | sed 's/.*"items": *\[{"id": *\([0-9]*\).*/\1/')
curl -sf -H "$auth" "$api/v1/items/$item" | cut -c1-600

step 登录，作初审
csrf=$(curl -sf -c cookies -H "$json" -d "{\"name\": \"admin\", \"password\": \"$password\"}" "$api/v1/session" | field csrf_token)
curl -sf -b cookies -H "X-CSRF-Token: $csrf" -H "$json" \
  -d '{"step": "initial", "category": "subject", "subjects": ["mathematics"], "disguises": ["quality_label"], "comment": "建议现场核查"}' "$api/v1/items/$item/decision" | cut -c1-400

step 导出
curl -sf -H "$auth" -o result.xlsx "$api/v1/catalogs/$catalog/export" && ls -l result.xlsx

step 核对审计链
"$jianke" audit verify
