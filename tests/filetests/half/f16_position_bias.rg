; test check

// A table of half weights is gathered into scores, and scaled with them.
graph f16_position_bias {
  %q = input : f16[3, 12, 8]
  %k = input : f16[3, 12, 8]
  %v = input : f16[3, 12, 8]
  %i = iota { axis = -2 } : i32[12, 12]
  %j = iota { axis = -1 } : i32[12, 12]
  %o = sub %i, %j
  %at = add %o, 11
  %table = weight : f16[23, 3]
  %rows = gather %table, %at
  %bias = transpose %rows { order = [-1, -3, -2] }
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %t = mul %s, 0.35355339059327373
  %wide = cast %bias { to = f32 }
  %u = add %t, %wide
  %a = softmax %u { axis = -1 }
  %y = matmul %a, %v
  return %y
}

; expect check
;   %y within 1e-5 of the reference
