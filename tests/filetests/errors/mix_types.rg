; test error

graph g {
  %a = input : f32[4, 8]
  %s = input : i32[]
  %y = mix %a, %a, %s
  return %y
}

; expect error
;   error: selection of mix is i32[]
;    --> errors/mix_types.rg:6:8
;     |
;   6 |   %y = mix %a, %a, %s
;     |        ^^^^--^^--^^--
;     |        |   |   |   |
;     |        |   |   |   this is i32[]
;     |        |   |   this is f32[4, 8]
;     |        |   this is f32[4, 8]
;     |        expected f32, bf16 or f16
