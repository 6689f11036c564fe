; test error

graph g {
  %x = input : f64[2]
  return %x
}

; expect error
;   error: `f64` is not an element type
;    --> errors/element_type.rg:4:16
;     |
;   4 |   %x = input : f64[2]
;     |                ^^^ expected f32, bf16, f16, i32 or bool
