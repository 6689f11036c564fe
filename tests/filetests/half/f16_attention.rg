; test roundtrip
; test check

// Half operands give a half result; what is between is f32.
graph f16_attention {
  %q = input : f16[2, 4, 8, 16]
  %y = attention %q, %q, %q { scale = 0.25 }
  return %y
}

; expect roundtrip
;   graph f16_attention {
;     %q = input : f16[2, 4, 8, 16]
;     %y = attention %q, %q, %q { scale = 0.25 } : f16[2, 4, 8, 16]
;     return %y
;   }

; expect check
;   %y within 1e-5 of the reference
